import type { IncomingHttpHeaders } from "node:http";

export interface LocationOptions {
  /** What the outside calls us, such as `https://registry.example.com`; wins over every header. */
  host: string | undefined;
  /** What comes before `/v2/`: empty, or beginning and not ending with a slash. */
  prefix: string;
  /** Whether locations are paths only. */
  relative: boolean;
  /** How clients reach us where nothing else says so. */
  scheme: "http" | "https";
}

/**
 * Writes `path` so that the client comes back the way it came: by `http.host`, else by what the
 * proxies in front say (RFC 7239, or `X-Forwarded-*`), else by the host it asked for.
 */
export function locationFor(
  path: string,
  { host, prefix, relative, scheme }: LocationOptions,
  headers: IncomingHttpHeaders,
): string {
  const whole = `${prefix}${path}`;
  if (host !== undefined) return `${host.replace(/\/+$/, "")}${whole}`;
  if (relative) return whole;
  const forwarded = forwardedIn(headers);
  const authority = hostIn(forwarded.host) ?? hostAskedFor(headers);
  if (authority === undefined) return whole;
  const isKnown = forwarded.proto === "https" || forwarded.proto === "http";
  return `${isKnown ? forwarded.proto : scheme}://${authority}${whole}`;
}

/** The host that the request was for, in the words of HTTP/1.1 or HTTP/2. */
function hostAskedFor(headers: IncomingHttpHeaders): string | undefined {
  const { host = headers[":authority"] } = headers;
  return typeof host === "string" ? hostIn(host) : undefined;
}

function forwardedIn(headers: IncomingHttpHeaders): { host?: string; proto?: string } {
  const { forwarded } = headers;
  if (forwarded !== undefined) return parseForwarded(forwarded);
  const host = firstOf(headers["x-forwarded-host"]);
  const proto = firstOf(headers["x-forwarded-proto"])?.toLowerCase();
  return { ...(host ? { host } : {}), ...(proto ? { proto } : {}) };
}

function parseForwarded(header: string): { host?: string; proto?: string } {
  const [nearestToClient = ""] = header.split(",");
  const pairs = nearestToClient.split(";").map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, "$1")];
  });
  const { host, proto } = Object.fromEntries(pairs) as { host?: string; proto?: string };
  return { ...(host ? { host } : {}), ...(proto ? { proto: proto.toLowerCase() } : {}) };
}

function firstOf(header: string | string[] | undefined): string | undefined {
  const [first] = typeof header === "string" ? header.split(",") : (header ?? []);
  return first?.trim();
}

/** Only what can stand in a URL: a forged header must not lead anywhere else. */
function hostIn(text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(text)
    ? text
    : undefined;
}
