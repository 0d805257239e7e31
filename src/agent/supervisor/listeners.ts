import { type Call, isEchoOf } from "../../base/call.ts";
import { type ListeningSocket, openListeningSocket } from "./listening-socket.ts";

/** The sockets every generation of the app inherits. */
export interface Listeners {
  /** In the order of the ports they were opened for. */
  readonly sockets: readonly ListeningSocket[];
  /** Whether all of them stay open, by somebody else's doing, when this process ends. */
  readonly outlive: boolean;
  /** Whether one of them was open before: somebody may have connected, and waits there. */
  readonly wereOpen: boolean;
  /** Workers keep their own copies: they go on listening until they close them. */
  close(): void;
}

/** Each socket costs a short-lived process: so many at a time keep a start on a small host quick. */
const atATime = 4;

/**
 * Listens on `ports`, on IPv6 and IPv4, without ever accepting: a connection waits in the kernel
 * until a worker takes it. Ports of `found`, which are open already, are not opened again. Fails with
 * nothing left open but those.
 *
 * @throws {SupervisorError} `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED`
 * @throws {TimeoutError}
 */
export async function openListeners(
  ports: readonly number[],
  call: Call,
  found: readonly ListeningSocket[] = [],
): Promise<Listeners> {
  const failed = new AbortController();
  const signal = AbortSignal.any([call.signal, failed.signal]);
  const opened = new Map<number, ListeningSocket>();
  const isFound = (port: number) => found.some((socket) => socket.port === port);
  const waiting = [...ports.entries()].filter(([, port]) => !isFound(port));
  const errors: unknown[] = [];

  const openInTurn = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, port] = next;
      opened.set(place, await openListeningSocket(port, { signal }));
    }
  };
  const lanes = Array.from({ length: atATime }, async () => {
    try {
      await openInTurn();
    } catch (error) {
      if (!isEchoOf(failed.signal, error)) errors.push(error);
      failed.abort();
    }
  });
  await Promise.all(lanes);

  if (failed.signal.aborted) {
    for (const socket of opened.values()) socket.close();
    throw errors[0];
  }
  const sockets = ports.flatMap(
    (port, place) => opened.get(place) ?? found.find((socket) => socket.port === port) ?? [],
  );
  return {
    sockets,
    outlive: sockets.length === 0,
    wereOpen: opened.size < ports.length,
    close() {
      for (const socket of sockets) socket.close();
    },
  };
}
