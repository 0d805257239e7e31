import type { HttpClient } from "../../base/http-client.ts";
import { traceContextIn, traceHeaders } from "./trace-context.ts";
import { errorTypeOf, type Tracer } from "./tracer.ts";

/**
 * `http`, with a span for each request, which is passed on to whoever is asked. It belongs to what is
 * under way here, or to the `traceparent` that the request has already.
 */
export function tracedHttp(http: HttpClient, tracer: Tracer): HttpClient {
  return {
    async request(request, call) {
      const { method = "GET", headers = {} } = request;
      const url = new URL(request.url);
      const given = headers.traceparent;
      const span = tracer.begin({
        ...{ name: method, kind: "client" },
        parent: typeof given === "string" ? traceContextIn({ traceparent: given }) : undefined,
        attributes: {
          "http.request.method": method,
          "url.full": url.origin + url.pathname, // a query may hold a signature
          "server.address": url.hostname.replace(/^\[|\]$/g, ""),
          "server.port": Number(url.port || (url.protocol === "https:" ? 443 : 80)),
        },
      });
      const traced = { ...request, headers: { ...headers, ...traceHeaders(span.context) } };
      try {
        const answer = await span.within(() => http.request(traced, call));
        const { status } = answer;
        const isFailed = status >= 400;
        span.end({
          isFailed,
          attributes: {
            "http.response.status_code": status,
            "error.type": isFailed ? String(status) : undefined,
          },
        });
        return answer;
      } catch (error) {
        span.end({ isFailed: true, attributes: { "error.type": errorTypeOf(error) } });
        throw error;
      }
    },
    close: () => http.close(),
  };
}
