import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { pathOf } from "../component.ts";

/** Nothing of this machine's settings for cloud SDKs and proxies, which break Go programs. */
const cleanEnvironment = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: tmpdir() };

/** Runs a program to its end, for at most a minute, and resolves to what it printed. */
export async function run(
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    env: { ...cleanEnvironment, ...environment },
    timeout: 60_000,
  });
  return stdout.trim();
}

export interface Daemon {
  stop(): Promise<void>;
}

/** Keeps what is to be done when what was opened is needed no more. */
export type AtEnd = (work: () => Promise<void>) => void;

/** Starts a daemon and resolves when `isReady`; it ends with the test at the latest, unless told. */
export async function startDaemon(
  program: string,
  args: readonly string[],
  isReady: () => Promise<boolean>,
  environment: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
): Promise<Daemon> {
  const env = { ...cleanEnvironment, ...environment };
  const child = spawn(pathOf(program) ?? program, args, { env, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(late);
  };
  atEnd(stop);
  const deadline = Date.now() + 30_000;
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`${program} was not ready within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { stop };
}

export async function isAnswering(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

export async function temporaryDirectory(
  name: string,
  atEnd: AtEnd = onTestFinished,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `dewy-${name}-`));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
