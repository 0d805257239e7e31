import { type ChildProcess, spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { type Call, withTimeout } from "../../base/call.ts";
import { carrierProgram } from "./keeper-program.ts";
import { endAtOnce, isRawHandle, type ListeningSocket } from "./listening-socket.ts";

const limitMs = 30_000;

const Given = v.object({ port: v.number(), count: v.number() });

/**
 * The sockets that an earlier agent's keeper holds in `directory`: all of them, or none where there is
 * no keeper. They are as they were left: whether they block is the app's, which may be using them.
 *
 * @throws {TimeoutError}
 */
export async function socketsOfKeeper(directory: string, call: Call): Promise<ListeningSocket[]> {
  if (!(await exists(join(directory, "keeper.sock")))) return [];
  return withTimeout("getting the ports from their keeper", limitMs, call, async ({ signal }) => {
    signal.throwIfAborted();
    const child = spawn(process.execPath, ["--input-type=commonjs", "-e", carrierProgram], {
      cwd: directory,
      env: {},
      stdio: ["pipe", "ignore", "ignore", "ipc"],
    });
    try {
      return await given(child, signal);
    } finally {
      await endAtOnce(child);
    }
  });
}

function given(child: ChildProcess, signal: AbortSignal): Promise<ListeningSocket[]> {
  const sockets: ListeningSocket[] = [];
  let isOver = false;
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      isOver = true;
      signal.removeEventListener("abort", giveUp);
      how();
    };
    const closeAll = () => {
      for (const socket of sockets.splice(0)) socket.close();
    };
    const giveUp = () => {
      closeAll();
      settle(() => reject(signal.reason));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    child.on("message", (message: unknown, handle: unknown) => {
      if (!isRawHandle(handle)) return;
      const { success, output } = v.safeParse(Given, message);
      if (isOver || !success) return handle.close();
      sockets.push({ port: output.port, fd: handle.fd, close: () => handle.close() });
      if (sockets.length === output.count) settle(() => resolve(sockets));
    });
    const fail = () => {
      if (isOver) return;
      closeAll();
      settle(() => resolve([]));
    };
    child.once("error", fail);
    child.once("exit", fail);
  });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
