import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./program.ts";

export interface Ceph {
  endpoint: URL;
  accessKey: string;
  secretKey: string;
  stop(): Promise<void>;
}

const script = fileURLToPath(new URL("ceph.sh", import.meta.url));

/** Starts a Ceph with an S3 gateway; for a whole suite, as it takes some seconds. */
export async function startCeph(): Promise<Ceph> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-ceph-"));
  const [cluster, gateway] = [Math.min(await freePort(), 65_000), await freePort()];
  const keys = { accessKey: "DEWYACCESSKEY", secretKey: "dewy-secret-key" };
  const args = [script, directory, `${cluster}`, `${gateway}`, keys.accessKey, keys.secretKey];
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: directory };
  const child = spawn("bash", args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  const deadline = Date.now() + 60_000;
  while (!existsSync(join(directory, "ready"))) {
    if (child.exitCode === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    await stop();
    throw new Error(`Ceph did not start: ${said}`);
  }
  return { endpoint: new URL(`http://127.0.0.1:${gateway}/`), ...keys, stop };
}
