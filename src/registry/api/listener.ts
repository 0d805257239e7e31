import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Call } from "../../base/call.ts";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { OciError } from "../../oci/error.ts";
import { answerTo } from "./api-error.ts";
import type { Answer, ApiParts, Headers } from "./exchange.ts";
import { type LocationOptions, locationFor } from "./location.ts";
import { inNamespace, type NameOf } from "./namespace.ts";
import { answerFor } from "./resources.ts";
import { parseRoute } from "./routes.ts";
import { ClientGone, send } from "./send.ts";

export interface ListenerParts extends ApiParts {
  writes: "allowed" | "refused";
  location: LocationOptions;
  /** In every answer. */
  headers: Headers;
  /** Without it, a repository is called what the client calls it. */
  nameOf: NameOf | undefined;
  logger: Logger;
  accessLog: "written" | "left out";
  clock: Clock;
  /** Ends when the server is closed for good; a client that leaves only ends its own streams. */
  call: Call;
}

/** The status the access log shows for a client that went away, as Distribution and nginx do. */
const clientClosedRequest = 499;

/** Answers the requests of an HTTP server. */
export function apiListener(parts: ListenerParts): RequestListener {
  const always = { "docker-distribution-api-version": "registry/2.0", ...parts.headers };

  return (request, response) => {
    response.on("error", () => {}); // the writer is told, too
    serve(request, response).catch((error: unknown) => {
      parts.logger.error("a request could not be served", { error });
      response.destroy();
    });
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begunMs = parts.clock.now().getTime();
    const answer = await answerOf(request);
    const isGone = request.destroyed && !request.complete;
    let status = isGone ? clientClosedRequest : answer.status;
    let size = 0;
    try {
      if (isGone) response.destroy();
      else size = await send(answer, always, request, response);
    } catch (error) {
      status = await givenUp(error, request, response);
    }
    // What is still to come of a refused body: many clients only listen once they have sent it.
    request.resume();
    if (parts.accessLog === "left out") return;
    const durationMs = parts.clock.now().getTime() - begunMs;
    parts.logger.info("request", accessLine(request, { status, size, durationMs }));
  }

  /** Before the headers are out, the client still hears what is wrong; after that, it is cut off. */
  async function givenUp(
    error: unknown,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<number> {
    if (error instanceof ClientGone) return clientClosedRequest;
    report(error, request);
    if (response.headersSent) {
      response.destroy();
      return 500;
    }
    const answer = answerTo(error);
    await send(answer, always, request, response);
    return answer.status;
  }

  async function answerOf(request: IncomingMessage): Promise<Answer> {
    try {
      const [path = "", query = ""] = splitOnce(targetOf(request), "?");
      const { headers } = request;
      const asked = { query: new URLSearchParams(query), host: headers.host, nameOf: parts.nameOf };
      const named = inNamespace(parseRoute(withoutPrefix(path, parts.location.prefix)), asked);
      const locate = (place: string) => locationFor(place, parts.location, headers);
      const inquiry = { request, query: asked.query, call: parts.call, locate };
      const answer = await answerFor(named.route, inquiry, parts);
      return { ...answer, headers: { ...answer.headers, ...named.headers } };
    } catch (error) {
      if (!(request.destroyed && !request.complete)) report(error, request);
      return answerTo(error);
    }
  }

  /** What the client did wrong is in its answer, and the access log; what we did, nowhere else. */
  function report(error: unknown, { method, url }: IncomingMessage): void {
    if (error instanceof OciError && error.status < 500) return;
    if (error instanceof OciError && error.retryAfterMs !== undefined) return; // the mirror said so
    if (answerTo(error).status < 500 || isEchoOf(parts.call.signal, error)) return;
    parts.logger.error("request failed", { method, path: pathIn(url), error });
  }
}

function accessLine(
  request: IncomingMessage,
  result: { status: number; size: number; durationMs: number },
) {
  return {
    method: request.method,
    path: pathIn(request.url),
    ...result,
    remote: request.socket.remoteAddress,
    agent: request.headers["user-agent"],
  };
}

/** A server has to take a whole URL as well (RFC 9112, section 3.2.2). */
function targetOf({ url = "" }: IncomingMessage): string {
  return url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?]*/i, "");
}

/** Without the query, which may hold what was never meant for a log. */
function pathIn(url = ""): string {
  return splitOnce(url, "?")[0] ?? "";
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === "" || path === "/") return path; // load balancers ask for `/` itself
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : "";
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
