import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { ClientGone } from "./client-gone.ts";

/** Where the compatibility API of `node:http2` is not quite that of `node:http`. */

/** The stream of a request that came by HTTP/2. */
export function http2StreamOf(request: IncomingMessage): ServerHttp2Stream | undefined {
  if (request.httpVersionMajor < 2) return undefined;
  return (request as unknown as Http2ServerRequest).stream;
}

/** Whether the client went away before its request was whole. */
export function isCutOff(request: IncomingMessage): boolean {
  const stream = http2StreamOf(request);
  if (stream === undefined) return request.destroyed && !request.complete;
  return stream.aborted || (stream.rstCode ?? 0) !== 0;
}

/**
 * The bytes of `request`. One that is broken off by HTTP/2 looks to Node like one that ended, and
 * half an upload is not to be taken for all of it.
 *
 * @throws {ClientGone}
 */
export async function* wholeBody(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  yield* request.iterator({ destroyOnReturn: false });
  if (isCutOff(request)) throw new ClientGone();
}
