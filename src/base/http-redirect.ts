import type { Bytes } from "./bytes.ts";
import { HttpError } from "./http-error.ts";
import { Secret } from "./secret.ts";

/** A request in the form that is sent: checked, and with everything in its place. */
export interface SentRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string | Secret | undefined>>;
  body: Uint8Array | Bytes | undefined;
}

/**
 * The request that follows the redirect to `location` (RFC 9110, 15.4).
 *
 * Credentials stay with the origin they were meant for: on the way to another they are dropped, and
 * they do not come back when it redirects to the first. From https to http nothing follows.
 *
 * @throws {HttpError} `BAD_REDIRECT`
 */
export function nextRequest(request: SentRequest, status: number, location: string): SentRequest {
  const { url: from } = request;
  if (!URL.canParse(location, from.href)) throw bad(from, "to something that is no URL");
  const url = new URL(location, from);
  if (!/^https?:$/.test(url.protocol)) throw bad(from, `to a ${url.protocol} URL`);
  if (from.protocol === "https:" && url.protocol === "http:") {
    throw bad(from, `from https to plain http, at ${url.host}`);
  }
  const headers = url.origin === from.origin ? request.headers : withoutCredentials(request);
  if (becomesGet(status, request.method)) {
    return { method: "GET", url, headers: withoutBody(headers), body: undefined };
  }
  if (request.body !== undefined && !(request.body instanceof Uint8Array)) {
    throw bad(from, "a request whose body can be sent only once");
  }
  return { ...request, url, headers };
}

function becomesGet(status: number, method: string): boolean {
  if (method === "GET" || method === "HEAD") return false;
  return status === 303 || (method === "POST" && (status === 301 || status === 302));
}

const credentialNames = ["authorization", "cookie", "proxy-authorization"];

function withoutCredentials({ headers }: SentRequest): SentRequest["headers"] {
  return only(
    headers,
    (name, value) => !(value instanceof Secret) && !credentialNames.includes(name.toLowerCase()),
  );
}

function withoutBody(headers: SentRequest["headers"]): SentRequest["headers"] {
  return only(headers, (name) => !name.toLowerCase().startsWith("content-"));
}

function only(
  headers: SentRequest["headers"],
  keep: (name: string, value: string | Secret | undefined) => boolean,
): SentRequest["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => keep(name, value)));
}

function bad(from: URL, where: string): HttpError {
  return new HttpError("BAD_REDIRECT", `${from.host} redirects ${where}`, {
    hint: "check the URL, and what the server or a proxy in between makes of it",
  });
}
