import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";

/** Where the compatibility API of `node:http2` is not quite that of `node:http`. */

/** The stream of a request that came by HTTP/2. */
export function http2StreamOf(request: IncomingMessage): ServerHttp2Stream | undefined {
  if (request.httpVersionMajor < 2) return undefined;
  return (request as unknown as Http2ServerRequest).stream;
}

/** Whether the client went away before its request was read, though all of it may have come. */
export function isCutOff(request: IncomingMessage): boolean {
  const stream = http2StreamOf(request);
  if (stream === undefined) return request.destroyed && !request.readableEnded;
  return stream.aborted || (stream.rstCode ?? 0) !== 0;
}
