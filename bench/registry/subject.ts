import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { freePort } from "../free-port.ts";
import { run as runDewy, until } from "../stage.ts";
import { openConnection } from "./connection.ts";

/** A registry that is measured. */
export interface Subject {
  name: string;
  address: string;
  /** How long it took from its start to its first answer. */
  startMs: number;
  peakMebibytes(): number;
  stop(): Promise<void>;
}

/** Debian's Distribution 2, and Distribution 3 and zot where they are on `PATH`. */
const peers = [
  { name: "Distribution", program: "docker-registry", config: distributionConfig },
  { name: "Distribution 3", program: "registry", config: distributionConfig },
  { name: "zot", program: "zot", config: zotConfig },
] as const;

export function startOurs(directory: string): Promise<Subject> {
  return started("ours", directory, distributionConfig, (file) => {
    return runDewy(["registry", "serve", file], directory).process;
  });
}

export async function startPeers(directory: string): Promise<Subject[]> {
  const here = peers.filter(({ program }) => isOnPath(program));
  return await Promise.all(
    here.map(({ name, program, config }) =>
      started(name, directory, config, (file) =>
        spawn(program, ["serve", file], { stdio: "ignore" }),
      ),
    ),
  );
}

async function started(
  name: string,
  directory: string,
  config: (host: string, root: string) => string,
  spawned: (file: string) => ChildProcess,
): Promise<Subject> {
  const host = `127.0.0.1:${await freePort()}`;
  const file = join(directory, `${name}.yml`);
  await writeFile(file, config(host, join(directory, name)));
  const address = `http://${host}`;
  const begun = performance.now();
  const child = spawned(file);
  await until(`${name} answers`, () => answers(address), 30_000, 2);
  return {
    ...{ name, address, startMs: performance.now() - begun },
    peakMebibytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Not by `fetch`, whose own first request takes as long as a good part of a start. */
async function answers(address: string): Promise<boolean> {
  const connection = await openConnection(address);
  try {
    await connection.exchange("/v2/", { status: 200 });
    return true;
  } finally {
    connection.close();
  }
}

function distributionConfig(host: string, root: string): string {
  const log = "log: {level: error, accesslog: {disabled: true}}";
  const storage = `storage: {filesystem: {rootdirectory: "${root}"}}`;
  return `version: 0.1\n${log}\n${storage}\nhttp: {addr: "${host}"}\n`;
}

/** JSON is YAML. With `commit`, it syncs what it writes, as the others do. */
function zotConfig(host: string, root: string): string {
  const [address = "", port = ""] = host.split(":");
  const storage = { rootDirectory: root, commit: true, gc: false };
  return JSON.stringify({ storage, http: { address, port }, log: { level: "error" } });
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .some((directory) => existsSync(join(directory, program)));
}
