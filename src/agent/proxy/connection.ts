import { once } from "node:events";
import {
  connect,
  createServer,
  isIP,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import type { Backend } from "./data-plane.ts";
import { RawConnection } from "./raw-connection.ts";
import type { ReadBuffers } from "./read-buffers.ts";
import { type ListeningHandle, type TcpHandle, tcpBindings } from "./tcp-bindings.ts";

export interface ConnectionEvents {
  connect: () => void;
  /** It is valid until the next read: who cannot pass it on at once pauses until that is done. */
  data: (chunk: Buffer) => void;
  /** The kernel has taken all that was written. */
  drain: () => void;
  /** The other side says no more. */
  end: () => void;
  error: (error: NodeJS.ErrnoException) => void;
  close: (hadError: boolean) => void;
}

/**
 * A TCP connection: what a proxy needs of `net.Socket`, under its names. It reads from `resume` on, and
 * closes itself when both sides have said that they say no more.
 */
export interface Connection
  extends Pick<
    Socket,
    "bytesRead" | "bytesWritten" | "writableLength" | "readableEnded" | "destroyed" | "isPaused"
  > {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  on<Event extends keyof ConnectionEvents>(
    event: Event,
    listener: ConnectionEvents[Event],
  ): unknown;
  /** @returns whether more may be written; otherwise `drain` says when */
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(error?: Error): unknown;
  resetAndDestroy(): unknown;
}

export interface Listener {
  connection(client: Connection): void;
  /** Somebody could not be accepted. */
  failed(): void;
}

/** Whether a client is still there: it may have gone, or a NAT forgotten it, without a word. */
const keepAliveSeconds = 60;
const each = { allowHalfOpen: true, noDelay: true };
const eachClient = {
  ...{ ...each, pauseOnConnect: true, keepAlive: true },
  keepAliveInitialDelay: keepAliveSeconds * 1_000,
};
const backlog = 4096;

export function connectTo({ host, port }: Backend, buffers: ReadBuffers): Connection {
  if (!tcpBindings || isIP(host) === 0) return connect({ host, port, ...each });
  return RawConnection.connecting({ host, port }, { bindings: tcpBindings, buffers });
}

/**
 * Listens on `port` of every address, or on a socket that is there already.
 *
 * @throws the system's error
 */
export async function listen(
  { port, fd }: { port: number; fd?: number | undefined },
  listener: Listener,
  buffers: ReadBuffers,
): Promise<Server> {
  const server = createServer(eachClient, (socket) => listener.connection(socket));
  if (fd === undefined) await listenOn(server, port);
  else await listening(server, { fd });
  server.on("error", () => listener.failed());
  acceptRaw(handleOf<ListeningHandle>(server), listener, buffers);
  return server;
}

/** What is accepted has the options of the socket that listens. */
function acceptRaw(handle: ListeningHandle | null, listener: Listener, buffers: ReadBuffers): void {
  if (!tcpBindings || !handle) return;
  const parts = { bindings: tcpBindings, buffers };
  handle.setNoDelay(true);
  handle.setKeepAlive(true, keepAliveSeconds);
  handle.onconnection = (status, client) => {
    if (status < 0 || client === undefined) listener.failed();
    else listener.connection(RawConnection.accepted(client, parts));
  };
}

/** Whether it was reset, or has ended both ways: then nobody is at its other end any more. */
export function isGone(connection: Connection): boolean {
  if (connection instanceof RawConnection) return connection.remoteAddress === undefined;
  // A socket of `net` remembers the name that it had.
  const handle = handleOf<TcpHandle>(connection as Socket);
  return handle !== null && handle.getpeername({}) !== 0;
}

/** Of the socket that listens; -1 when it does not any more. */
export function descriptorOf(server: Server): number {
  return handleOf<ListeningHandle>(server)?.fd ?? -1;
}

function handleOf<Handle>(socket: Server | Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle;
}

/** IPv6 with IPv4 in it; where this host has none, IPv4 alone. */
async function listenOn(server: Server, port: number): Promise<void> {
  try {
    await listening(server, { port, host: "::" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    await listening(server, { port, host: "0.0.0.0" });
  }
}

async function listening(server: Server, at: ListenOptions & { fd?: number }): Promise<void> {
  await once(server.listen({ ...at, backlog }), "listening");
}
