import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import { acceptanceOf } from "./accepting-process.ts";
import type { ProbeTarget } from "./health.ts";
import { ProbeError } from "./probe-error.ts";

const lookMs = 10;
/** Where nobody can tell who accepted, nobody can tell when either. */
const unknownMs = 100;

/**
 * A connection to `port` that the new generation has accepted, and not the old one beside it, which
 * takes connections from the same queue: those that it gets are closed, and made anew.
 *
 * @throws {ProbeError} `NO_ANSWER` when the call ends first
 */
export async function connectionTo(
  port: number,
  target: ProbeTarget & { pid: number },
  call: Call,
): Promise<Socket> {
  let isTakenByOld = false;
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {}); // told by whoever waits for it
    try {
      await once(socket, "connect", call);
      if (await isAcceptedByNew(socket, port, target, call)) return socket;
      isTakenByOld = true;
      socket.destroy();
      await sleep(lookMs, undefined, call);
    } catch (error) {
      socket.destroy();
      if (!call.signal.aborted) throw refused(port, error);
      throw noAnswer(port, isTakenByOld, error);
    }
  }
}

async function isAcceptedByNew(
  socket: Socket,
  port: number,
  target: ProbeTarget & { pid: number },
  call: Call,
): Promise<boolean> {
  const connection = { port, clientPort: socket.localPort ?? 0 };
  for (;;) {
    const acceptance = await acceptanceOf(connection, target);
    call.signal.throwIfAborted();
    if (acceptance === "unknown") await sleep(unknownMs, undefined, call);
    if (acceptance !== "waiting") return acceptance !== "old";
    await sleep(lookMs, undefined, call);
  }
}

function refused(port: number, cause: unknown): ProbeError {
  return new ProbeError("NO_ANSWER", `port ${port}: ${messageOf(cause)}`, { cause });
}

function noAnswer(port: number, isTakenByOld: boolean, cause: unknown): ProbeError {
  const who = isTakenByOld ? "only the old process" : "nobody";
  return new ProbeError("NO_ANSWER", `${who} accepts connections on port ${port}`, { cause });
}
