import { Agent as HttpAgent, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { SecureContext } from "node:tls";
import type { Bytes } from "./bytes.ts";
import type { Call } from "./call.ts";
import type { Environment } from "./environment.ts";
import { HttpError } from "./http-error.ts";
import { bytesOf, type Exchange, exchange, type HttpTimeouts } from "./http-exchange.ts";
import { checkProxies, proxyFor } from "./http-proxy.ts";
import { nextRequest, type SentRequest } from "./http-redirect.ts";
import { concealed, Secret } from "./secret.ts";

export type { HttpTimeouts } from "./http-exchange.ts";

/** Names in lower case; a header that came several times is joined with `, `. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

export interface HttpRequest {
  method?: string;
  url: string | URL;
  /**
   * Names in lower case. A `Secret` is a credential: it goes to the origin of `url` and to no
   * other, as do `authorization` and `cookie` in whatever form.
   */
  headers?: Readonly<Record<string, string | Secret | undefined>>;
  /** A stream is sent once, so it cannot follow a redirect; give its `content-length` if known. */
  body?: Uint8Array | string | Bytes | undefined;
  /** `follow` (the default) goes up to ten redirects far; `manual` answers with the redirect. */
  redirect?: "follow" | "manual";
  /** What the body holds that must not be shown, when the answer repeats it. */
  secrets?: readonly Secret[];
  timeouts?: Partial<HttpTimeouts>;
}

export interface HttpAnswer {
  status: number;
  headers: HttpHeaders;
  /** Must be read to its end, broken off, or given to `discard`; it holds a connection until then. */
  body: Bytes;
  /** Where the answer came from in the end. */
  url: URL;
  /** `text`, which came with the answer, without the credentials that the request carried. */
  conceal(text: string): string;
  /** Lets go of the body without reading it. */
  discard(): void;
}

/** HTTP/1.1 as a client: kept-alive connections, proxies, deadlines, credentials bound to an origin. */
export interface HttpClient {
  /**
   * Resolves at the head of the answer, whatever its status.
   *
   * @throws {HttpError}, or the reason of the signal
   */
  request(request: HttpRequest, call: Call): Promise<HttpAnswer>;
  close(): void;
}

export interface HttpClientOptions {
  userAgent: string;
  /** For `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
  environment?: Environment;
  timeouts?: Partial<HttpTimeouts>;
  /** Whom to trust, and who we are; without it, as Node does. */
  secureContext?: SecureContext | undefined;
}

const defaultTimeouts: HttpTimeouts = { connectMs: 10_000, responseMs: 30_000, idleMs: 60_000 };
const maximumRedirects = 10;
/** A body shorter than this is cheaper to read than a new connection is to make. */
const drainedBytes = 64 * 1024;

/** @throws {ConfigError} when the environment names a proxy that is none */
export function openHttpClient(options: HttpClientOptions): HttpClient {
  const { environment = {}, userAgent } = options;
  checkProxies(environment);
  const agents = openAgents(options.secureContext);

  return {
    async request(request, call) {
      let current = originalRequest(request);
      for (let hops = 0; ; hops++) {
        const { answer, location } = await once(current, request.timeouts, call);
        if (request.redirect === "manual" || location === undefined) {
          return { ...answer, conceal: (text) => concealed(text, secretsOf(request)) };
        }
        answer.discard();
        if (hops === maximumRedirects) {
          throw new HttpError("BAD_REDIRECT", `${current.url.host} redirects without end`, {
            hint: "check the URL; it was redirected ten times",
          });
        }
        current = nextRequest(current, answer.status, location);
      }
    },
    close: () => agents.close(),
  };

  async function once(request: SentRequest, timeouts: Partial<HttpTimeouts> = {}, call: Call) {
    const proxy = proxyFor(request.url, environment);
    const parts: Exchange = {
      host: request.url.host,
      tls: request.url.protocol === "https:" || proxy?.protocol === "https:",
      options: {
        ...targetOf(request.url, proxy),
        method: request.method,
        agent: await agents.agentFor(request.url, proxy),
        headers: revealed({
          host: request.url.host,
          "user-agent": userAgent,
          ...lengthOf(request),
          ...proxyAuthorization(request.url, proxy),
          ...request.headers,
        }),
      },
      body: request.body,
      timeouts: { ...defaultTimeouts, ...options.timeouts, ...timeouts },
    };
    const message = await exchange(parts, call);
    return { answer: answerFrom(message, request.url, parts, call), location: locationIn(message) };
  }
}

function originalRequest({ method = "GET", url, headers = {}, body }: HttpRequest): SentRequest {
  const target = URL.canParse(String(url)) ? new URL(url) : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) {
    throw new HttpError("BAD_URL", "this is not an http or https URL", {
      hint: "write it as https://host/path",
    });
  }
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return { method, url: target, headers: { ...userInformation(target), ...headers }, body: bytes };
}

function userInformation({ username, password }: URL): Record<string, Secret> {
  if (username === "" && password === "") return {};
  try {
    return { authorization: basic(decodeURIComponent(username), decodeURIComponent(password)) };
  } catch {
    throw new HttpError("BAD_URL", "the credentials in this URL cannot be read", {
      hint: "write a % in them as %25",
    });
  }
}

/** The credentials of RFC 7617, as the value of a header. */
export function basic(username: string, password: string): Secret {
  return new Secret(`Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`);
}

function targetOf(url: URL, proxy: URL | undefined) {
  const plainProxy = url.protocol === "http:" ? proxy : undefined;
  const to = plainProxy ?? url;
  return {
    protocol: to.protocol,
    hostname: to.hostname.replace(/^\[|\]$/g, ""),
    port: to.port,
    path: plainProxy ? `http://${url.host}${url.pathname}${url.search}` : url.pathname + url.search,
  };
}

function proxyAuthorization(url: URL, proxy: URL | undefined): Record<string, Secret> {
  if (proxy === undefined || url.protocol === "https:" || proxy.username === "") return {};
  const { username, password } = proxy;
  return {
    "proxy-authorization": basic(decodeURIComponent(username), decodeURIComponent(password)),
  };
}

function lengthOf({ body, method }: SentRequest): Record<string, string> {
  if (body instanceof Uint8Array) return { "content-length": String(body.length) };
  const isExpected = body === undefined && ["POST", "PUT", "PATCH"].includes(method);
  return isExpected ? { "content-length": "0" } : {};
}

function revealed(headers: SentRequest["headers"]): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [[name, value instanceof Secret ? value.reveal() : value]];
  });
  return Object.fromEntries(entries);
}

function locationIn({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined;
}

/** Also of a request that was redirected: the first server may have put them into the new URL. */
function secretsOf({ headers = {}, secrets = [], url }: HttpRequest): Secret[] {
  const values = Object.values({ ...userInformation(new URL(url)), ...headers });
  return [...secrets, ...values.filter((value) => value instanceof Secret)];
}

function answerFrom(
  message: IncomingMessage,
  url: URL,
  parts: Exchange,
  call: Call,
): Omit<HttpAnswer, "conceal"> {
  const headers = Object.entries(message.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(", ") : value,
  ]);
  return {
    status: message.statusCode ?? 0,
    headers: Object.fromEntries(headers),
    body: bytesOf(message, parts, call),
    url,
    discard() {
      const length = hasNoBody(message, parts) ? 0 : message.headers["content-length"];
      const isShort = Number(length ?? Infinity) <= drainedBytes;
      message.on("error", () => {}); // nobody wants the rest any more
      if (isShort) message.setTimeout(5_000, () => message.destroy()).resume();
      else message.destroy();
    },
  };
}

function hasNoBody({ statusCode }: IncomingMessage, { options }: Exchange): boolean {
  return options.method === "HEAD" || statusCode === 204 || statusCode === 304;
}

function openAgents(secureContext: SecureContext | undefined) {
  const kept = { keepAlive: true, maxFreeSockets: 4, timeout: 30_000 };
  const plain = new HttpAgent(kept);
  const secure = new HttpsAgent({ ...kept, ...(secureContext && { secureContext }) });
  const tunnels = new Map<string, HttpAgent>();

  return {
    async agentFor(url: URL, proxy: URL | undefined): Promise<HttpAgent> {
      if (url.protocol === "http:") return proxy?.protocol === "https:" ? secure : plain;
      return proxy ? tunnelThrough(proxy) : secure;
    },
    close() {
      for (const agent of [plain, secure, ...tunnels.values()]) agent.destroy();
    },
  };

  async function tunnelThrough(proxy: URL): Promise<HttpAgent> {
    const known = tunnels.get(proxy.href);
    if (known) return known;
    const { HttpsProxyAgent } = await import("https-proxy-agent");
    const tunnel = new HttpsProxyAgent(proxy, kept);
    tunnels.set(proxy.href, tunnel);
    return tunnel;
  }
}
