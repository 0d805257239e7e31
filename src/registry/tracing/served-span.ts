import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { pathIn, targetOf } from "../api/request-target.ts";
import type { Route } from "../api/routes.ts";
import { traceContextIn } from "./trace-context.ts";
import type { Attributes, OpenSpan, Tracer } from "./tracer.ts";

export interface ServedRequest {
  route: Route | undefined;
  status: number;
  size: number;
  address: string;
}

/** A request that is being answered. */
export interface ServedSpan extends Pick<OpenSpan, "context" | "within"> {
  end(served: ServedRequest): void;
}

/** `http.route`: one for each kind of resource, whatever its name. */
const templates: Record<Route["kind"], string> = {
  root: "/",
  base: "/v2/",
  catalog: "/v2/_catalog",
  token: "/auth/token",
  tags: "/v2/{name}/tags/list",
  manifest: "/v2/{name}/manifests/{reference}",
  blob: "/v2/{name}/blobs/{digest}",
  uploads: "/v2/{name}/blobs/uploads/",
  upload: "/v2/{name}/blobs/uploads/{uuid}",
  referrers: "/v2/{name}/referrers/{digest}",
  repositories: "/api/v1/repositories",
  repository: "/api/v1/repositories/{name}",
  history: "/api/v1/repositories/{name}/tags/{tag}/history",
  quotas: "/api/v1/quotas",
  collections: "/api/v1/garbage/collections",
  collection: "/api/v1/garbage/collections/{id}",
  scrubs: "/api/v1/scrubs",
  scrub: "/api/v1/scrubs/{id}",
};

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const longestValue = 1024;

/** A span by OpenTelemetry's semantic conventions for HTTP servers, stable since their version 1.23. */
export function servedSpan(tracer: Tracer, request: IncomingMessage): ServedSpan {
  const { method = "", headers, httpVersion } = request;
  const isKnown = methods.has(method);
  const shownMethod = isKnown ? method : "HTTP";
  const span = tracer.begin({
    ...{ name: shownMethod, kind: "server", parent: traceContextIn(headers) },
    attributes: {
      "http.request.method": isKnown ? method : "_OTHER",
      "http.request.method_original": isKnown ? undefined : method.slice(0, longestValue),
      "url.path": pathIn(targetOf(request)).slice(0, longestValue),
      "url.scheme": (request.socket as Partial<TLSSocket>).encrypted ? "https" : "http",
      "network.protocol.version": httpVersion === "2.0" ? "2" : httpVersion,
      "user_agent.original": headers["user-agent"]?.slice(0, longestValue),
      ...serverIn(headers.host),
    },
  });
  return {
    context: span.context,
    within: span.within,
    end({ route, status, size, address }) {
      const template = route && templates[route.kind];
      span.end({
        name: template === undefined ? shownMethod : `${shownMethod} ${template}`,
        isFailed: status >= 500,
        attributes: {
          "http.route": template,
          "http.response.status_code": status,
          "http.response.body.size": size,
          "client.address": address || undefined,
          "error.type": status >= 500 ? String(status) : undefined,
        },
      });
    },
  };
}

function serverIn(host = ""): Attributes {
  const [, address, port] = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(host) ?? [];
  return {
    "server.address": address?.replace(/^\[|\]$/g, "").slice(0, longestValue) || undefined,
    "server.port": port === undefined ? undefined : Number(port),
  };
}
