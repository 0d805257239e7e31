import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Call } from "../../base/call.ts";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { OciError } from "../../oci/error.ts";
import type { Grant } from "../auth/authenticator.ts";
import type { Witness } from "../events/witness.ts";
import type { Health } from "../health/health.ts";
import type { HttpMetrics, MeasuredRequest } from "../metrics/http-metrics.ts";
import type { ServedSpan } from "../tracing/served-span.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { AccessLog } from "./access-log.ts";
import { type AdmissionParts, addressOf, admissionTo } from "./admission.ts";
import { answerTo } from "./api-error.ts";
import { type Answer, type ApiParts, type Headers, jsonAnswer } from "./exchange.ts";
import { isCutOff } from "./http2-request.ts";
import { locationFor } from "./location.ts";
import { inNamespace, type NameOf } from "./namespace.ts";
import { discardRest } from "./refused-body.ts";
import { pathIn, splitOnce, targetOf } from "./request-target.ts";
import { answerFor } from "./resources.ts";
import { parseRoute, type Route } from "./routes.ts";
import { ClientGone, send } from "./send.ts";

export interface ListenerParts extends ApiParts, AdmissionParts {
  writes: "allowed" | "refused";
  /** In every answer. */
  headers: Headers;
  /** Without it, a repository is called what the client calls it. */
  nameOf: NameOf | undefined;
  logger: Logger;
  accessLog: AccessLog | undefined;
  /** Who is told what happens to images. */
  witness: Witness | undefined;
  metrics: HttpMetrics | undefined;
  tracing: Pick<Tracing, "begun" | "part"> | undefined;
  health: Pick<Health, "isWell">;
  clock: Clock;
  /** Ends when the server is closed for good; a client that leaves only ends its own streams. */
  call: Call;
}

/** The status the access log shows for a client that went away, as Distribution and nginx do. */
const clientClosedRequest = 499;

/** As Node finds it, which leaves the answer to us then; a proxy may have added one of its own. */
const continueWanted = /(?:^|\W)100-continue(?:$|\W)/i;

/** Answers the requests of an HTTP server. */
export function apiListener(parts: ListenerParts): RequestListener {
  const always = { "docker-distribution-api-version": "registry/2.0", ...parts.headers };
  const admit = tracedAdmission(admissionTo(parts), parts.tracing);
  const remoteOf = (request: IncomingMessage) => addressOf(request, parts);

  return (request, response) => {
    response.on("error", () => {}); // the writer is told, too
    const span = parts.tracing?.begun(request);
    const served = span
      ? span.within(() => serve(request, response, span))
      : serve(request, response, undefined);
    served.catch((error: unknown) => {
      parts.logger.error("a request could not be served", { error });
      response.destroy();
    });
  };

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    span: ServedSpan | undefined,
  ): Promise<void> {
    const begunMs = performance.now();
    const visit: RequestVisit = { id: randomUUID() };
    const answer = await answerOf(request, response, visit);
    const isGone = isCutOff(request);
    let status = isGone ? clientClosedRequest : answer.status;
    let size = 0;
    try {
      if (isGone) response.destroy();
      else size = await send(answer, always, request, response);
    } catch (error) {
      status = await givenUp(error, request, response);
    }
    void discardRest(request, parts.clock);
    const durationMs = performance.now() - begunMs;
    visit.measure?.({ request, status, size, durationMs });
    const { id, route, user } = visit;
    const address = span || parts.accessLog ? remoteOf(request) : "";
    span?.end({ route, status, size, address });
    if (parts.accessLog === undefined) return;
    const contentType = contentTypeIn(answer);
    const end = { status, size, contentType, durationMs: Math.round(durationMs * 1000) / 1000 };
    const where = { at: parts.clock.now(), address, route, trace: span?.context };
    parts.accessLog.write({ id, request, user, ...where, ...end });
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

  async function answerOf(
    request: IncomingMessage,
    response: ServerResponse,
    visit: RequestVisit,
  ): Promise<Answer> {
    if (!parts.health.isWell) return unhealthy();
    try {
      const [path = "", query = ""] = splitOnce(targetOf(request), "?");
      const { headers } = request;
      const asked = { query: new URLSearchParams(query), host: headers.host, nameOf: parts.nameOf };
      const named = inNamespace(parseRoute(withoutPrefix(path, parts.location.prefix)), asked);
      const { route } = named;
      visit.route = route;
      visit.measure = parts.metrics?.begun(route);
      const grant = await admitted(route, request, response);
      visit.user = grant.user;
      const inquiry = {
        ...{ id: visit.id, request, grant },
        query: asked.query,
        call: parts.call,
        locate: (place: string) => locationFor(place, parts.location, headers),
      };
      const testify = route && (await parts.witness?.(route, inquiry));
      const answer = await answerFor(route, inquiry, parts);
      await testify?.(answer);
      return { ...answer, headers: { ...answer.headers, ...named.headers } };
    } catch (error) {
      if (!isCutOff(request)) report(error, request);
      return answerTo(error);
    }
  }

  /** Asks a client that waits to be asked for its body only once it is let in (RFC 9110, 10.1.1). */
  async function admitted(
    route: Route | undefined,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Grant> {
    const isWaiting = continueWanted.test(request.headers.expect ?? "");
    try {
      const grant = await admit(route, request, parts.call);
      if (isWaiting) await askForBody(request, response);
      return grant;
    } catch (error) {
      // Whether the body comes all the same, nobody knows: it could be taken for the next request.
      if (isWaiting && request.httpVersionMajor < 2) response.setHeader("connection", "close");
      throw error;
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

type Admit = ReturnType<typeof admissionTo>;

function tracedAdmission(admit: Admit, tracing: Pick<Tracing, "part"> | undefined): Admit {
  if (tracing === undefined) return admit;
  return (route, request, call) => tracing.part("authorize", {}, () => admit(route, request, call));
}

/** Of an answer that waits behind another one, Node would write the head before this, and the rest after. */
async function askForBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (response.socket === null && !request.destroyed) {
    await new Promise<unknown>((resolve) => {
      response.once("socket", resolve);
      request.once("close", resolve);
    });
  }
  if (response.socket !== null) response.writeContinue();
}

/** A request under way; filled in as more is known. */
interface RequestVisit {
  readonly id: string;
  route?: Route | undefined;
  user?: Grant["user"];
  measure?: ((end: MeasuredRequest) => void) | undefined;
}

/** As Distribution says it, at every path, so that a load balancer takes this one out. */
function unhealthy(): Answer {
  const detail = "health check failed: please see /debug/health";
  const error = { code: "UNAVAILABLE", message: "service unavailable", detail };
  return jsonAnswer(503, { errors: [error] });
}

function contentTypeIn({ headers }: Answer): string | undefined {
  const type = headers["content-type"];
  return typeof type === "string" ? type : undefined;
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === "" || path === "/") return path; // load balancers ask for `/` itself
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : "";
}
