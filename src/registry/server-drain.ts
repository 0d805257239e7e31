import type { IncomingMessage, ServerResponse } from "node:http";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { http2StreamOf } from "./api/http2-request.ts";
import type { RegistryServer } from "./server-open.ts";

const betweenSweepsMs = 60_000;

export interface DrainOptions {
  timeoutMs: number;
  clock: Clock;
  open: ReadonlySet<ServerResponse>;
}

/** The answers that are still to be given, from now on. */
export function openAnswers({
  server,
  prependListener,
}: RegistryServer): ReadonlySet<ServerResponse> {
  const open = new Set<ServerResponse>();
  prependListener((_request: IncomingMessage, response: ServerResponse) => {
    open.add(response);
    response.once("close", () => open.delete(response));
  });
  const timer = setInterval(() => {
    for (const response of open) if (isGone(response)) open.delete(response);
  }, betweenSweepsMs).unref();
  server.once("close", () => clearInterval(timer));
  return open;
}

/** Not every answer whose connection is gone says that it is closed. */
export function isGone({ req }: ServerResponse): boolean {
  return (http2StreamOf(req) ?? req.socket).destroyed;
}

/**
 * Stops an HTTP server without breaking a request: connections end as they become idle, and are cut
 * when the time is over or the call is aborted. Each answer of `open` says that it is the last one:
 * a client that kept its connection would find it cut in the middle of its next request. HTTP/2 says
 * the same once for each connection.
 */
export async function drain(
  { server, sessions, sockets, prependListener }: RegistryServer,
  { timeoutMs, clock, open }: DrainOptions,
  { signal }: Call,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  open.forEach(announceEnd);
  prependListener((_request, response) => announceEnd(response));
  const sweep = setInterval(endIdle, 50);
  endIdle();
  const limit = new AbortController();
  const both = AbortSignal.any([signal, limit.signal]);
  const overdue = clock.sleep(timeoutMs, { signal: both }).catch(() => {});
  try {
    await Promise.race([closed, overdue]);
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    await closed;
  } finally {
    clearInterval(sweep);
    limit.abort();
    await overdue;
  }

  /** Again and again: a handshake may have ended only now. */
  function endIdle(): void {
    server.closeIdleConnections();
    for (const session of sessions) if (!session.closed) session.close();
  }
}

function announceEnd(response: ServerResponse): void {
  const isHttp1 = response.req.httpVersionMajor < 2;
  if (isHttp1 && !response.headersSent) response.setHeader("connection", "close");
}
