import { type ChildProcess, spawn } from "node:child_process";
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { systemCodeOf } from "../src/base/errors.ts";
import { freePort } from "./free-port.ts";
import { ask } from "./load.ts";

/** What the build made of a source, whether this file was built or not. */
export function built(path: string): string {
  const above = import.meta.url.includes("/dist/bench/") ? ".." : "../dist";
  return fileURLToPath(new URL(`${above}/${path}`, import.meta.url));
}

const ownProgram = built("src/main.js");
const sampleApp = built("examples/sample-app/server.js");

export interface Running {
  process: ChildProcess;
  /** As a person would have typed it. */
  commandLine: string;
  /** What it has said on standard error so far. */
  log(): string;
  /** SIGTERM, and the exit status once it has ended. */
  stop(): Promise<number | null>;
}

export interface ProgramPlace {
  /** The built program, unless it is another version. */
  program?: string | undefined;
  /** A socket that listens on the port, handed over as systemd would. */
  fd?: number | undefined;
  /** Beside this process's own. */
  environment?: Readonly<Record<string, string>> | undefined;
}

/** A temporary directory with a registry and an agent in it: what the demo and the benches play on. */
export interface Stage {
  directory: string;
  /** `127.0.0.1:PORT` of the registry. */
  registry: string;
  /** Pushes the sample app, some of its files replaced; resolves to the command line that did it. */
  push(version: string, files?: Readonly<Record<string, string>>): Promise<string>;
  startAgent(port: number, options?: readonly string[], place?: ProgramPlace): Running;
  /** Another version of the program, in a place of its own: its path. */
  upgraded(version: string): Promise<string>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-stage-"));
  const registry = `127.0.0.1:${await freePort()}`;
  const running: Running[] = [];

  await writeFile(join(directory, "config.yml"), configFor(registry, join(directory, "registry")));
  running.push(run(["registry", "serve", join(directory, "config.yml")], directory));
  const stage: Stage = {
    directory,
    registry,

    async push(version, files) {
      const archive = await packSampleApp(directory, version, files);
      const pushing = run(["push", archive, `img://${registry}/sample-app:${version}`], directory);
      const status = await ended(pushing.process);
      if (status !== 0) throw new Error(`dewy push ended with ${status}: ${pushing.log()}`);
      return pushing.commandLine;
    },

    upgraded: (version) => copyProgram(join(directory, `dewy-${version}`), version),

    startAgent(port, options = ["-i", "1", "-l", "info"], place = {}) {
      const root = join(directory, "app");
      const from = `img://${registry}/sample-app`;
      const to = ["--", process.execPath, "current/server.js"];
      const agent = run(
        ["server", "--registry", from, "-p", String(port), "-d", root, ...options, ...to],
        directory,
        place,
      );
      running.push(agent);
      return agent;
    },

    async close() {
      for (const each of running.reverse()) await each.stop();
      await endLeftIn(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await until(`the registry answers on ${registry}`, async () => {
      return (await ask(`http://${registry}/v2/`)).status === 200;
    });
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

const handingOver = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';

/** Runs the built program; on a socket that it inherits, as by sd_listen_fds(3), if there is one. */
export function run(
  args: readonly string[],
  directory: string,
  { program = ownProgram, fd, environment = {} }: ProgramPlace = {},
): Running {
  const command = [process.execPath, program, ...args];
  const [file = "", ...rest] =
    fd === undefined ? command : ["/bin/sh", "-c", handingOver, "dewy", ...command];
  const child = spawn(file, rest, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe", ...(fd === undefined ? [] : [fd])],
  });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-100_000);
  });
  return {
    process: child,
    commandLine: ["dewy", ...args]
      .join(" ")
      .replaceAll(`${directory}/`, "")
      .replace(process.execPath, "node"),
    log: () => log,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill("SIGTERM");
      return await ended(child);
    },
  };
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return await new Promise((resolve) => child.once("close", resolve));
}

/**
 * Ends what agents that were killed have left running, apps and keepers, where nobody came after them.
 * Resolves when nothing of it is left: who is just making a file keeps its directory from being removed.
 */
export async function endLeftIn(directory: string): Promise<void> {
  for (;;) {
    const left = await runningIn(directory);
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whoever has its working directory there. One that has ended has none. */
async function runningIn(directory: string): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const pids: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const place = await readlink(`/proc/${name}/cwd`).catch(() => "");
    if (place === directory || place.startsWith(`${directory}/`)) pids.push(Number(name));
  }
  return pids;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (systemCodeOf(error) !== "ESRCH") throw error; // it has ended meanwhile
  }
}

/** Its dependencies stay where they are. */
async function copyProgram(directory: string, version: string): Promise<string> {
  const root = join(dirname(ownProgram), "..", "..");
  const about = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  await mkdir(join(directory, "dist"), { recursive: true });
  await cp(dirname(ownProgram), join(directory, "dist", "src"), { recursive: true });
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  await writeFile(join(directory, "package.json"), JSON.stringify({ ...about, version }));
  return join(directory, "dist", "src", "main.js");
}

/** The sample application as an archive for this platform. */
async function packSampleApp(
  directory: string,
  version: string,
  replaced: Readonly<Record<string, string>> = {},
): Promise<string> {
  const platform = `${process.platform}_${process.arch}`;
  const path = join(directory, "builds", version, `sample-app_${platform}.tar.gz`);
  const files = {
    "server.js": await readFile(sampleApp, "utf8"),
    "package.json": '{"type":"module"}\n',
    VERSION: `${version}\n`,
    ...replaced,
  };
  const tar = await packTar(
    Object.entries(files).map(([name, body]) => {
      const mode = name.endsWith(".js") ? 0o755 : 0o644;
      return { header: { name, size: Buffer.byteLength(body), mode, type: "file" }, body };
    }),
  );
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, gzipSync(tar));
  return path;
}

function configFor(address: string, directory: string): string {
  return [
    "version: 0.1",
    "log: { level: warn }",
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(directory)} } }`,
    `http: { addr: "${address}" }`,
    "",
  ].join("\n");
}

/** Asks every 20 ms until `condition` holds, for 30 s at the most, unless told. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  mostMs = 30_000,
  everyMs = 20,
): Promise<void> {
  const deadline = Date.now() + mostMs;
  while (Date.now() < deadline) {
    if (await condition().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw new Error(`waited ${mostMs / 1000} s in vain until ${what}`);
}
