import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";

/**
 * Stops an HTTP server without breaking a request: connections end as they become idle, and are cut
 * when the time is over or the call is aborted.
 */
export async function drain(
  server: Server,
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
  { signal }: Call,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("connection", "close");
  });
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
