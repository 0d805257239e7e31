import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../bench/free-port.ts";

export interface Ceph {
  endpoint: URL;
  accessKey: string;
  secretKey: string;
  stop(): Promise<void>;
}

const attempts = 3;
const startMs = 40_000;
const script = fileURLToPath(new URL("ceph.sh", import.meta.url));

/**
 * Starts a Ceph with an S3 gateway; for a whole suite, as it takes some seconds. Its daemons take
 * the ports they are given or wait for each other for ever, so a start that does not succeed in
 * `startMs` is ended and tried again elsewhere.
 */
export async function startCeph(): Promise<Ceph> {
  const failures: string[] = [];
  while (failures.length < attempts) {
    const ceph = await tryToStart();
    if (typeof ceph !== "string") return ceph;
    failures.push(ceph);
  }
  throw new Error(`Ceph did not start: ${failures.join("\n")}`);
}

/** How long the hook that calls `startCeph` may have. */
export const cephStartMs = attempts * startMs + 30_000;

async function tryToStart(): Promise<Ceph | string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-ceph-"));
  const [cluster, gateway] = [await freeRange(), await freePort()];
  const keys = { accessKey: "DEWYACCESSKEY", secretKey: "dewy-secret-key" };
  const args = [script, directory, `${cluster}`, `${gateway}`, keys.accessKey, keys.secretKey];
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: directory };
  const child = spawn("bash", args, { env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    // Its daemons and a step that hangs are in its process group; none of them keeps anything.
    if (child.pid !== undefined && isRunning(child)) process.kill(-child.pid, "SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  const deadline = Date.now() + startMs;
  while (!existsSync(join(directory, "ready"))) {
    if (isRunning(child) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    const step = existsSync(join(directory, "step"))
      ? readFileSync(join(directory, "step"), "utf8").trim()
      : "";
    await stop();
    return `${step}: ${said || "nothing said"}`;
  }
  return { endpoint: new URL(`http://127.0.0.1:${gateway}/`), ...keys, stop };
}

/** The first of 41 ports below those that the system gives to whoever asks for any. */
async function freeRange(): Promise<number> {
  for (;;) {
    const first = randomInt(12_000, 30_000);
    if (await isFree(first)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;
