import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { type Call, orAborted } from "../../base/call.ts";
import { AuthError } from "./authenticator.ts";

/** bcrypt on a thread of its own: one check takes 2 ms at cost 5 and 250 ms at cost 12. */
export interface Bcrypt {
  verify(password: string, hash: string, call: Call): Promise<boolean>;
  hash(password: string, cost: number, call: Call): Promise<string>;
  close(): Promise<void>;
}

type Task = { password: string; hash: string } | { password: string; cost: number };
type Waiting = { resolve(result: unknown): void; reject(error: Error): void };

/** What waits longer than this many others is better told to come back. */
const maximumWaiting = 256;

const program = `
const { parentPort, workerData } = require("node:worker_threads");
const bcrypt = require(workerData);
parentPort.on("message", ({ id, password, hash, cost }) => {
  const result = hash === undefined ? bcrypt.hashSync(password, cost) : bcrypt.compareSync(password, hash);
  parentPort.postMessage({ id, result });
});
`;

/** The thread starts with the first task, and again with the next one if it should break. */
export function openBcrypt(): Bcrypt {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let lastId = 0;

  return {
    verify: async (password, hash, call) => (await run({ password, hash }, call)) === true,
    hash: async (password, cost, call) => String(await run({ password, cost }, call)),

    async close() {
      await worker?.terminate();
    },
  };

  function run(task: Task, { signal }: Call): Promise<unknown> {
    if (waiting.size >= maximumWaiting) {
      const hint = "try again in a second";
      throw new AuthError("TOO_MANY_FAILURES", "too many passwords are being checked", {
        retryAfterMs: 1_000,
        hint,
      });
    }
    worker ??= start();
    const id = ++lastId;
    const result = new Promise<unknown>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
    worker.postMessage({ id, ...task });
    return orAborted(result, signal);
  }

  function start(): Worker {
    const library = createRequire(import.meta.url).resolve("bcryptjs");
    const started = new Worker(program, { eval: true, workerData: library, env: {}, execArgv: [] });
    started.unref();
    started.on("message", ({ id, result }: { id: number; result: unknown }) => {
      waiting.get(id)?.resolve(result);
      waiting.delete(id);
    });
    started.on("error", (error) => broken(error));
    started.on("exit", () => broken(undefined));
    return started;
  }

  function broken(cause: unknown): void {
    worker = undefined;
    const hint = "try again; if it stays so, start the registry anew";
    const error = new AuthError("UNAVAILABLE", "passwords cannot be checked", { cause, hint });
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }
}
