import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";

export interface DrainOptions {
  timeoutMs: number;
  clock: Clock;
  open: ReadonlySet<ServerResponse>;
}

/** The answers that are still to be given, from now on. */
export function openAnswers(server: Server): ReadonlySet<ServerResponse> {
  const open = new Set<ServerResponse>();
  server.on("request", (_request: IncomingMessage, response: ServerResponse) => {
    open.add(response);
    response.once("close", () => open.delete(response));
  });
  return open;
}

/**
 * Stops an HTTP server without breaking a request: connections end as they become idle, and are cut
 * when the time is over or the call is aborted. Each answer of `open` says that it is the last one:
 * a client that kept its connection would find it cut in the middle of its next request.
 */
export async function drain(
  server: Server,
  { timeoutMs, clock, open }: DrainOptions,
  { signal }: Call,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const isLast = (response: ServerResponse) => {
    if (!response.headersSent) response.setHeader("connection", "close");
  };
  open.forEach(isLast);
  server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) =>
    isLast(response),
  );
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = new AbortController();
  const both = AbortSignal.any([signal, limit.signal]);
  const overdue = clock.sleep(timeoutMs, { signal: both }).catch(() => {});
  try {
    await Promise.race([closed, overdue]);
    server.closeAllConnections();
    await closed;
  } finally {
    clearInterval(sweep);
    limit.abort();
    await overdue;
  }
}
