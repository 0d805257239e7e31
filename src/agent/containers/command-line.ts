import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { openJoined } from "../../base/joined.ts";
import { linesOf } from "../../base/lines.ts";
import { ContainerError } from "./runtime.ts";

const maximumOutputBytes = 32 * 1024 * 1024;
const maximumErrorBytes = 16 * 1024;
const longestLine = 64 * 1024;
const usualLimitMs = 60_000;

export interface Invocation {
  /** For errors, instead of the arguments, which may hold secrets. */
  what: string;
  /** Values that no error may repeat. */
  secrets?: readonly string[];
  /** How long the engine may take; a minute unless told. */
  limitMs?: number;
}

/** Runs docker or podman. */
export interface CommandLine {
  /** @returns its standard output. @throws {ContainerError} */
  run(args: readonly string[], invocation: Invocation, call: Call): Promise<string>;
  /** Yields each line it writes, until it or the call ends. @throws {ContainerError} when it ends first */
  lines(args: readonly string[], invocation: Invocation, call: Call): AsyncGenerator<string>;
  /** Yields each line of both its outputs, until it or the call ends. @throws {ContainerError} */
  spoken(args: readonly string[], invocation: Invocation, call: Call): AsyncGenerator<SpokenLine>;
}

export interface SpokenLine {
  stream: "stdout" | "stderr";
  text: string;
}

export function openCommandLine(program: string, environment: Environment): CommandLine {
  return { run, lines, spoken };

  async function run(args: readonly string[], about: Invocation, call: Call): Promise<string> {
    const { what, limitMs = usualLimitMs } = about;
    try {
      return await withTimeout(`${program} ${what}`, limitMs, call, (limited) =>
        outputOf(args, about, limited),
      );
    } catch (cause) {
      if (!(cause instanceof TimeoutError)) throw cause;
      throw new ContainerError("UNAVAILABLE", cause.message, {
        cause,
        hint: `see whether the engine answers at all: ${program} ps`,
      });
    }
  }

  async function outputOf(args: readonly string[], about: Invocation, call: Call): Promise<string> {
    const child = start(args, call);
    const [output, errors, status] = await Promise.all([
      wholeOf(child.stdout, maximumOutputBytes),
      wholeOf(child.stderr, maximumErrorBytes),
      child.ended,
    ]).catch((error) => {
      call.signal.throwIfAborted();
      throw unstarted(error);
    });
    call.signal.throwIfAborted();
    if (status !== 0) throw failureFrom(program, errors, about);
    return output;
  }

  async function* lines(
    args: readonly string[],
    about: Invocation,
    call: Call,
  ): AsyncGenerator<string> {
    const child = start(args, call);
    const errors = wholeOf(child.stderr, maximumErrorBytes);
    const ended = child.ended.catch((error) => {
      throw unstarted(error);
    });
    for (const one of [errors, ended]) one.catch(() => {});
    try {
      yield* linesOf(child.stdout, longestLine);
      await ended;
    } finally {
      child.kill();
    }
    call.signal.throwIfAborted();
    throw failureFrom(program, (await errors) || "it ended by itself", about);
  }

  async function* spoken(
    args: readonly string[],
    about: Invocation,
    call: Call,
  ): AsyncGenerator<SpokenLine> {
    const child = start(args, call);
    const ended = child.ended.catch((error) => {
      throw unstarted(error);
    });
    ended.catch(() => {});
    let last = "";
    try {
      const outputs = (["stdout", "stderr"] as const).map((name) => namedLines(child[name], name));
      for await (const line of openJoined(...outputs)) {
        if (line.stream === "stderr") last = line.text;
        yield line;
      }
      const status = await ended;
      call.signal.throwIfAborted();
      if (status !== 0) throw failureFrom(program, last, about);
    } catch (error) {
      call.signal.throwIfAborted();
      throw error;
    } finally {
      child.kill();
    }
  }

  function start(args: readonly string[], { signal }: Call) {
    signal.throwIfAborted();
    const child = spawn(program, args, {
      env: environment as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = () => {
      child.kill("SIGKILL");
      // What it has started may hold on to them.
      for (const output of [child.stdout, child.stderr]) output.destroy();
    };
    signal.addEventListener("abort", kill, { once: true });
    const ended = once(child, "close").then(([status]) => status as number | null);
    ended.then(forget, forget);
    return { stdout: child.stdout, stderr: child.stderr, ended, kill };

    function forget(): void {
      signal.removeEventListener("abort", kill);
    }
  }

  function unstarted(cause: unknown): ContainerError {
    if (systemCodeOf(cause) === "ENOENT") {
      return new ContainerError("MISSING", `there is no ${program} on PATH`, {
        cause,
        hint: `install ${program}, or name the other one by --runtime`,
      });
    }
    return new ContainerError("REFUSED", `${program} could not be started`, { cause });
  }
}

async function* namedLines(output: Readable, stream: SpokenLine["stream"]) {
  for await (const text of linesOf(output, longestLine)) yield { stream, text };
}

/** The rest is read and thrown away, so that the writer does not wait for ever. */
async function wholeOf(output: Readable, maximum: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    if (bytes < maximum) chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks).subarray(0, maximum).toString("utf8");
}

const meanings: readonly [RegExp, ContainerError["code"], string?][] = [
  [
    /cannot connect to (the docker daemon|podman)|is the docker daemon running|connection refused.*\.sock|permission denied.*\.sock/i,
    "UNAVAILABLE",
    "start the engine, and let dewy's user use its socket",
  ],
  [
    /container process( caused)?: exec: |command that was not found|oci permission denied/i,
    "NOT_STARTED",
    "check the command of the image, or --cmd, which takes one word each time",
  ],
  [
    /unknown (shorthand )?flag|invalid argument .* flag|invalid mount config/i,
    "REFUSED",
    "correct what is after --, which is for the engine's run",
  ],
  [
    /unauthorized|authentication required|denied|access forbidden|not authorized|login required/i,
    "UNAUTHORIZED",
    "sign in by docker login as the user dewy runs as, or set DOCKER_USERNAME and DOCKER_PASSWORD",
  ],
  [
    /network \S+ not found|unable to find network/i,
    "REFUSED",
    "make it by the engine's network create, or name another one by --network",
  ],
  [
    /network-scoped alias/i,
    "REFUSED",
    "make a network by the engine's network create: the one that is always there knows no aliases",
  ],
  [/no such container|no container with name or id/i, "NO_CONTAINER"],
  [/no such image|manifest unknown|image not known|not found: manifest/i, "NO_IMAGE"],
];

/** How its program is used, which is not for who uses dewy. */
const howToAsk = /^(see|run) '.*--help'|^usage:/i;

/** What the engine said, in one line, without what it was given in confidence. */
function failureFrom(program: string, errors: string, { what, secrets = [] }: Invocation) {
  const said = errors
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !howToAsk.test(line) && !/level=warn/.test(line));
  const words = said
    .slice(-3)
    .join(" ")
    .replace(/^(docker: |Error: |Error response from daemon: )+/, "")
    .replace(/([?]?)\.$/, "$1");
  const text = concealedIn(words || "it gave no reason", secrets);
  const [, code = "REFUSED", hint] = meanings.find(([pattern]) => pattern.test(text)) ?? [];
  return new ContainerError(
    code,
    `${program}: ${what}: ${text.slice(0, 1_000)}`,
    hint ? { hint } : {},
  );
}

const shortestSecret = 3;

function concealedIn(text: string, secrets: readonly string[]): string {
  return [...secrets]
    .filter((secret) => secret.length >= shortestSecret)
    .sort((a, b) => b.length - a.length)
    .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}
