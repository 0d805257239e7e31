import type { RequestListener, ServerResponse } from "node:http";
import type { Server } from "node:net";
import { http2StreamOf } from "./api/http2-request.ts";
import { isGone } from "./server-drain.ts";

/** Whoever is served and wants to be done moves more than this in a few minutes. */
const leastBytes = 64 * 1024;
const looks = 4;

export interface PacedServer {
  server: Server;
  prependListener(listener: RequestListener): void;
}

/**
 * Ends requests of which, with their answers, next to nothing comes or goes for as long as `stallMs`: a
 * byte now and then would keep a connection, and its file, for ever.
 *
 * 0 for nobody. Looks are counted, not time, so that nobody is ended for a pause of this process.
 */
export function endStalled({ server, prependListener }: PacedServer, stallMs: number): void {
  if (stallMs === 0) return;
  const open = new Map<ServerResponse, { bytes: number; idleLooks: number }>();
  prependListener((_request, response) => {
    open.set(response, { bytes: bytesOf(response), idleLooks: 0 });
    response.once("close", () => open.delete(response));
  });
  const timer = setInterval(look, stallMs / looks).unref();
  server.once("close", () => clearInterval(timer));

  function look(): void {
    for (const [response, progress] of open) {
      const bytes = bytesOf(response);
      if (isGone(response)) open.delete(response);
      else if (bytes - progress.bytes >= leastBytes) open.set(response, { bytes, idleLooks: 0 });
      else if (++progress.idleLooks > looks) end(response);
    }
  }
}

/** Of all its connection; in HTTP/2 other requests are among them. */
function bytesOf({ req }: ServerResponse): number {
  const stream = http2StreamOf(req);
  if (stream !== undefined && stream.session?.destroyed !== false) return 0; // it is about to close
  const { bytesRead, bytesWritten } = stream?.session?.socket ?? req.socket;
  return bytesRead + bytesWritten;
}

function end({ req }: ServerResponse): void {
  (http2StreamOf(req) ?? req.socket).destroy();
}
