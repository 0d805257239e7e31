import type { IncomingMessage, ServerResponse } from "node:http";
import type { Bytes } from "../../base/bytes.ts";
import { DewyError } from "../../base/errors.ts";
import type { Answer, Headers } from "./exchange.ts";

/** The client closed the connection before it had its answer: nobody's failure. */
export class ClientGone extends DewyError<"CLIENT_GONE"> {
  constructor(cause?: unknown) {
    super("CLIENT_GONE", "the client closed the connection", { cause });
  }
}

/**
 * Sends an answer and resolves to how many bytes its body had, once they are written.
 *
 * @throws {ClientGone}
 */
export async function send(
  { status, headers, body }: Answer,
  always: Headers,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = bytes instanceof Uint8Array ? { "content-length": bytes.length } : {};
  const all = { ...always, ...headers, ...length };
  const isWithoutBody = request.method === "HEAD" || status === 304 || status === 204;
  if (typeof bytes !== "function" || isWithoutBody) {
    response.writeHead(status, all);
    response.end(isWithoutBody ? undefined : bytes);
    return isWithoutBody || bytes === undefined ? 0 : Number(length["content-length"]);
  }
  const stream = await bytes();
  response.writeHead(status, all);
  return await sendStream(stream, response);
}

async function sendStream(stream: Bytes, response: ServerResponse): Promise<number> {
  let size = 0;
  for await (const chunk of stream) {
    await written(chunk, response);
    size += chunk.length;
  }
  response.end();
  return size;
}

/** Waits until the kernel has the chunk, since its memory is used again for the next one. */
function written(chunk: Uint8Array, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new ClientGone());
    response.once("close", onClose);
    response.write(chunk, (error) => {
      response.off("close", onClose);
      if (error) reject(new ClientGone(error));
      else resolve();
    });
  });
}
