import { execFile, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "../stage.ts";

/** A dockerd that shares nothing with the machine's. */
export interface Engine {
  /** For a dewy that is to use it. */
  environment: Record<string, string>;
  docker(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

const path = `/usr/bin:/usr/sbin:/sbin:${process.env.PATH}`;

/** Everything it keeps is in `directory`; its containers have addresses that this host reaches. */
export async function openEngine(directory: string): Promise<Engine> {
  await mkdir(directory, { recursive: true });
  const host = `unix://${join(directory, "docker.sock")}`;
  const docker = (...args: readonly string[]) => output("docker", ["--host", host, ...args]);
  const number = await addBridge();
  const daemon = spawn(
    "dockerd",
    [
      ...["--host", host, "--pidfile", join(directory, "pid"), "--iptables=false"],
      ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
      ...[`--bridge=dewy-${number}`, `--default-address-pool=base=10.232.${number}.0/24,size=28`],
    ],
    { env: { PATH: path, HOME: tmpdir() }, stdio: "ignore" },
  );
  const ended = new Promise((resolve) => daemon.once("exit", resolve));
  const engine: Engine = {
    environment: { DOCKER_HOST: host, DOCKER_CONFIG: directory, PATH: path },
    docker,
    async close() {
      const ids = (await docker("ps", "--all", "--quiet").catch(() => "")).split("\n");
      for (const id of ids.filter(Boolean)) await docker("rm", "--force", id).catch(() => {});
      daemon.kill("SIGTERM");
      await ended;
      await output("ip", ["link", "delete", `dewy-${number}`]).catch(() => {});
      await output("umount", ["--lazy", "--recursive", join(directory, "data")]).catch(() => {});
    },
  };
  try {
    await until("dockerd answers", () => docker("version").then(() => true), 60_000);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** One that no other engine has: the kernel refuses a name that is taken. */
async function addBridge(): Promise<number> {
  const first = Math.floor(Math.random() * 256);
  for (let tries = 0; tries < 256; tries++) {
    const number = (first + tries) % 256;
    const bridge = `dewy-${number}`;
    // An address of its own, or it changes with each container, and others lose sight of it.
    const address = `02:42:0a:e7:${number.toString(16).padStart(2, "0")}:01`;
    const adding = ["link", "add", bridge, "address", address, "type", "bridge"];
    if (!(await output("ip", adding).then(isTrue, isFalse))) continue;
    await output("ip", ["address", "add", `10.231.${number}.1/24`, "dev", bridge]);
    await output("ip", ["link", "set", bridge, "up"]);
    return number;
  }
  throw new Error("no bridge could be made: run this as root, with ip on PATH");
}

const isTrue = () => true;
const isFalse = () => false;

async function output(program: string, args: readonly string[]): Promise<string> {
  const env = { PATH: path, HOME: tmpdir() };
  return (await promisify(execFile)(program, args, { env, timeout: 60_000 })).stdout.trim();
}
