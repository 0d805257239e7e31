import { createServer, type ServerResponse } from "node:http";
import type { Logger } from "../base/logger.ts";
import { prometheusContentType } from "../base/prometheus-text.ts";
import type { Health } from "./health/health.ts";
import { listen, RegistryError } from "./server-listen.ts";

export interface DebugOptions {
  addr: string;
  /** Where the metrics are; `undefined` where they are not asked for. */
  metricsPath: string | undefined;
}

export interface DebugParts {
  health: Health;
  /** In the text format of Prometheus. */
  metrics(): Promise<string>;
  logger: Logger;
}

export interface DebugServer {
  address: string;
  close(): Promise<void>;
}

interface Page {
  status: number;
  type: string;
  body: string;
}

/**
 * Answers those who look after the registry: `/debug/health`, also at `/`, and the metrics.
 *
 * @throws {RegistryError} `CANNOT_LISTEN`
 */
export async function openDebugServer(
  { addr, metricsPath }: DebugOptions,
  { health, metrics, logger }: DebugParts,
): Promise<DebugServer> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 });
  server.setTimeout(60_000);
  server.maxConnections = 100;
  server.on("request", (request, response) => {
    request.resume();
    const isRead = ["GET", "HEAD"].includes(request.method ?? "");
    const path = (request.url ?? "").replace(/\?.*/s, "");
    const page = isRead ? pageAt(path) : Promise.resolve(notAllowed);
    page.then(
      (found) => send(found, response),
      (error: unknown) => {
        logger.error("the debug server failed", { path, error });
        send(failed, response);
      },
    );
  });
  const address = await listen(server, { addr, net: "tcp" }).catch((error: unknown) => {
    if (!(error instanceof RegistryError)) throw error;
    const hint = "set http.debug.addr to an address of this machine that is free";
    throw new RegistryError("CANNOT_LISTEN", error.message, { cause: error, hint });
  });
  return {
    address,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };

  async function pageAt(path: string): Promise<Page> {
    if (path === metricsPath) {
      return { status: 200, type: prometheusContentType, body: await metrics() };
    }
    if (path !== "/" && path !== "/debug/health") return notFound;
    const body = JSON.stringify(health.failures());
    return { status: health.isWell ? 200 : 503, type: "application/json; charset=utf-8", body };
  }
}

const plain = "text/plain; charset=utf-8";
const notFound: Page = { status: 404, type: plain, body: "404 page not found\n" };
const notAllowed: Page = { status: 405, type: plain, body: "405 method not allowed\n" };
const failed: Page = { status: 500, type: plain, body: "500 the log says why\n" };

function send({ status, type, body }: Page, response: ServerResponse): void {
  const allow = status === 405 ? { allow: "GET, HEAD" } : {};
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...allow,
  });
  response.end(body);
}
