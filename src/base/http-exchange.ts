import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Bytes } from "./bytes.ts";
import type { Call } from "./call.ts";
import { systemCodeOf } from "./errors.ts";
import { HttpError, unreachable } from "./http-error.ts";

export interface HttpTimeouts {
  /** To have a connection, with TLS and through a proxy. */
  connectMs: number;
  /** From the last byte of the request to the head of the answer. */
  responseMs: number;
  /** Between two chunks, either way. A whole transfer has no limit. */
  idleMs: number;
}

/** One request, where it goes and what it carries; what `http.request` is to be told. */
export interface Exchange {
  /** Named in errors: `host[:port]`. */
  host: string;
  /** Whether the connection is over when its TLS handshake is. */
  tls: boolean;
  options: RequestOptions;
  body: Uint8Array | Bytes | undefined;
  timeouts: HttpTimeouts;
}

/**
 * Sends one request and resolves at the head of the answer, whose body is then read from `bytesOf`.
 *
 * @throws {HttpError}, or the reason of the signal as soon as it is aborted
 */
export async function exchange(parts: Exchange, call: Call): Promise<IncomingMessage> {
  const first = send(parts, call);
  try {
    return await first.answer;
  } catch (error) {
    if (!isStale(first.request, error) || !isRepeatable(parts)) throw error;
    return await send(parts, call).answer; // the server had closed an idle connection
  }
}

/** The body of an answer, with the idle deadline, and errors that say which host broke off. */
export async function* bytesOf(
  message: IncomingMessage,
  { host, timeouts }: Exchange,
  { signal }: Call,
): AsyncGenerator<Uint8Array> {
  const limit = deadline((error) => message.destroy(error), host);
  const stop = () => message.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    limit.start("sent nothing for", timeouts.idleMs);
    for await (const chunk of message as Bytes) {
      limit.stop(); // a reader that takes its time is not the server's fault
      yield chunk;
      limit.start("sent nothing for", timeouts.idleMs);
    }
    if (!message.complete) throw new Error("the answer is not complete");
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HttpError) throw error;
    throw new HttpError("INTERRUPTED", `${host} broke off in the middle of its answer`, {
      cause: error,
      hint: "try again; a proxy in between may limit how long an answer takes",
    });
  } finally {
    limit.stop();
    signal.removeEventListener("abort", stop);
    message.destroy();
  }
}

function send(parts: Exchange, { signal }: Call) {
  signal.throwIfAborted();
  const { host, options, timeouts } = parts;
  const request = options.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
  const limit = deadline((error) => request.destroy(error), host);
  const stop = () => request.destroy();
  signal.addEventListener("abort", stop, { once: true });
  limit.start("could not be connected to within", timeouts.connectMs);
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject); // stays, as later errors of the connection come here too
    request.once("close", () => reject(new Error("the connection was closed")));
    whenConnected(request, parts, () => {
      void sendBody(request, parts, limit).catch((error) => request.destroy(error));
    });
  })
    .catch((error) => {
      request.destroy();
      signal.throwIfAborted();
      throw error instanceof HttpError ? error : unreachable(host, error);
    })
    .finally(() => {
      limit.stop();
      signal.removeEventListener("abort", stop);
    });
  return { request, answer };
}

function whenConnected(
  request: ClientRequest,
  { host, tls }: Exchange,
  connected: () => void,
): void {
  // Otherwise the agent would pass the proxy's refusal off as the answer of the server itself.
  request.once("proxyConnect", ({ statusCode }: { statusCode: number }) => {
    if (statusCode === 200) return;
    const message = `cannot reach ${host}: the proxy refuses to connect to it (${statusCode})`;
    const hint = "allow it in the proxy, or name the host in NO_PROXY";
    request.destroy(new HttpError("UNREACHABLE", message, { hint }));
  });
  request.once("socket", (socket) => {
    if (request.reusedSocket) connected();
    else if (tls) socket.once("secureConnect", connected);
    else if (socket.connecting) socket.once("connect", connected);
    else connected();
  });
}

async function sendBody(
  request: ClientRequest,
  { body, timeouts }: Exchange,
  limit: Deadline,
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body);
    limit.start("did not answer within", timeouts.responseMs);
    return;
  }
  async function* watched(source: Bytes) {
    for await (const chunk of source) {
      limit.start("took nothing for", timeouts.idleMs);
      yield chunk;
    }
    limit.start("did not answer within", timeouts.responseMs);
  }
  // An early answer, such as 401, ends the connection under the body: the answer is what counts.
  let answered = false;
  request.once("response", () => {
    answered = true;
  });
  await pipeline(Readable.from(watched(body), { objectMode: false }), request).catch((error) => {
    if (!answered) throw error;
  });
}

interface Deadline {
  start(what: string, ms: number): void;
  stop(): void;
}

function deadline(expire: (error: HttpError) => void, host: string): Deadline {
  let timer: NodeJS.Timeout | undefined;
  let last: NodeJS.Immediate | undefined;
  return {
    start(what, ms) {
      stop();
      const hint = "check the network, and how busy the server is";
      const late = () =>
        expire(new HttpError("TIMEOUT", `${host} ${what} ${ms / 1000} s`, { hint }));
      // What has come while this process itself was held up is read first.
      timer = setTimeout(() => {
        last = setImmediate(late);
      }, ms);
    },
    stop,
  };

  function stop(): void {
    clearTimeout(timer);
    clearImmediate(last);
  }
}

function isStale(request: ClientRequest, error: unknown): boolean {
  if (!request.reusedSocket || !(error instanceof HttpError)) return false;
  return ["ECONNRESET", "EPIPE"].includes(systemCodeOf(error.cause) ?? "");
}

function isRepeatable({ body, options }: Exchange): boolean {
  return options.method !== "POST" && (body === undefined || body instanceof Uint8Array);
}
