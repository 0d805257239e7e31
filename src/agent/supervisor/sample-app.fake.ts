import { chmod, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openListeners } from "./listeners.ts";
import { openSupervisor, type Supervisor, type SupervisorOptions } from "./supervisor.ts";
import type { RecordedWorker, WorkerRecord } from "./worker-record.ts";

/**
 * A well-behaved app: serves on each socket it is given, answers with its generation, and while it
 * drains, finishes what it has begun and tells clients to go elsewhere. `net`'s `close` and not
 * `http`'s, because that one ends idle connections, on which a client may just be sending.
 */
const appSource = `
  import { createServer } from "node:http";
  import { Server } from "node:net";

  const generation = process.env.SERVER_STARTER_GENERATION;
  let draining = false;
  const servers = process.env.SERVER_STARTER_PORT.split(";").filter(Boolean).map((entry) =>
    createServer((request, response) => {
      const delay = Number(new URL(request.url, "http://app").searchParams.get("delay"));
      const answer = () => {
        if (draining) response.setHeader("connection", "close");
        response.end(generation);
      };
      delay > 0 ? setTimeout(answer, delay) : answer();
    }).listen({ fd: Number(entry.split("=")[1]) }),
  );
  process.on("SIGTERM", () => {
    draining = true;
    for (const server of servers) Server.prototype.close.call(server);
  });
`;

/** A directory for the length of one test, with the app in it as `app.mjs`. */
export async function directoryWithApp(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "dewy-supervisor-")));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, "app.mjs"), appSource);
  return directory;
}

export const appCommand: readonly [string, ...string[]] = [process.execPath, "app.mjs"];

/** A supervisor for the length of one test, by default of the sample app. */
export async function supervisorIn(
  directory: string,
  options: Partial<SupervisorOptions> & Pick<SupervisorOptions, "logger">,
): Promise<Supervisor> {
  const supervisor = openSupervisor({
    command: appCommand,
    directory,
    environment: { PATH: process.env.PATH },
    listeners: { sockets: [] },
    record: new FakeRecord(),
    minimumUptimeMs: 100,
    drainMs: 5_000,
    ...options,
  });
  onTestFinished(() => supervisor.stop());
  return supervisor;
}

/** Sockets on free ports for the length of one test. */
export async function listenersOn(count: number, signal: AbortSignal) {
  const listeners = await openListeners(new Array(count).fill(0), { signal });
  onTestFinished(() => listeners.close());
  return listeners;
}

export class FakeRecord implements WorkerRecord {
  workers: readonly RecordedWorker[] = [];

  async add(worker: RecordedWorker): Promise<void> {
    this.workers = [...this.workers, worker];
  }

  async markEnding({ pid }: Pick<RecordedWorker, "pid">): Promise<void> {
    this.workers = this.workers.map((each) =>
      each.pid === pid ? { ...each, ending: true } : each,
    );
  }

  async remove({ pid }: Pick<RecordedWorker, "pid">): Promise<void> {
    this.workers = this.workers.filter((worker) => worker.pid !== pid);
  }
}

/** The body that a server on this machine answers with. */
export function ask(port: number, path = "/", agent: Agent | false = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, host: "127.0.0.1", agent }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve(body));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Asks without a pause, until it is stopped; a connection that fails in any way is counted. */
export class Load {
  readonly answers = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #agent: Agent;
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(port: number, { keepAlive, lanes }: { keepAlive: boolean; lanes: number }) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive, maxSockets: lanes });
    this.#lanes = Array.from({ length: lanes }, () => this.#run());
    onTestFinished(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const answer = await ask(this.#port, "/", this.#agent);
        this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

/** Waits until `condition` holds; the test's own time limit ends it. */
export async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Writes a program for /bin/sh. */
export async function writeScript(directory: string, name: string, body: string): Promise<void> {
  await writeFile(join(directory, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(directory, name), 0o755);
}

/** What comes of a connection: it was taken, or the reason why not. */
export function outcomeOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}
