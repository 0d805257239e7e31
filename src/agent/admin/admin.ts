import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Call, isEchoOf } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConfigError, DewyError, lineOf, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { adminPortsFrom, defaultAdminPort } from "./admin-ports.ts";
import { type AdminAnswer, type AdminParts, adminAnswer, refusal } from "./admin-request.ts";

export interface AdminOptions {
  /** The first port to try; 0 and none are 17539, as with the original. */
  port?: number | undefined;
}

export interface Admin {
  /** `127.0.0.1:PORT` */
  address: string;
  /** Lets what is being answered come to its end, for at most five seconds. */
  close(): Promise<void>;
}

const headersLimitMs = 5_000;
const requestLimitMs = 10_000;
const keptAliveMs = 5_000;
const closeLimitMs = 5_000;
const maximumConnections = 64;

/**
 * Answers about this agent on the loopback, and only there: nobody is asked for a password.
 *
 * @throws {ConfigError} when none of the ten ports can be had
 */
export async function openAdmin(
  { port = 0 }: AdminOptions,
  parts: AdminParts & { clock: Clock; logger: Logger },
  call: Call,
): Promise<Admin> {
  const { clock, logger } = parts;
  const server = createServer({
    headersTimeout: headersLimitMs,
    requestTimeout: requestLimitMs,
    keepAliveTimeout: keptAliveMs,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = maximumConnections;
  server.setTimeout(requestLimitMs);
  server.on("request", (request, response) => {
    response.on("error", () => {}); // the one who asked is gone
    request.resume();
    answerOf(request, parts).then(
      (answer) => send(answer, request, response, server),
      () => response.destroy(),
    );
  });
  const address = await listenFrom(server, port === 0 ? defaultAdminPort : port, call);
  server.on("error", (error) => logger.warn("the admin listener failed", { error }));
  logger.info("Admin API started", { address });

  return { address, close: () => close(server, clock) };
}

async function answerOf(
  request: IncomingMessage,
  parts: AdminParts & { logger: Logger },
): Promise<AdminAnswer> {
  try {
    return await adminAnswer(request, parts);
  } catch (error) {
    if (error instanceof DewyError) return refusal(500, lineOf(error));
    parts.logger.error("an admin request could not be answered", { error });
    return refusal(500, "look into dewy's log");
  }
}

function send(
  { status, headers, body }: AdminAnswer,
  { method }: IncomingMessage,
  response: ServerResponse,
  server: Server,
): void {
  if (!server.listening) response.setHeader("connection", "close");
  response.writeHead(status, {
    ...headers,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(method === "HEAD" ? undefined : body);
}

async function listenFrom(server: Server, first: number, call: Call): Promise<string> {
  const ports = adminPortsFrom(first);
  for (const port of ports) {
    try {
      await listenOn(server, port, call);
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    } catch (error) {
      if (isEchoOf(call.signal, error)) throw error;
      if (systemCodeOf(error) !== "EADDRINUSE") throw cannotListen(port, error);
    }
  }
  throw new ConfigError(`--admin-port: 127.0.0.1:${first} to ${ports.at(-1)} are all taken`, {
    hint: "name another port by --admin-port, or stop what listens there",
  });
}

function listenOn(server: Server, port: number, { signal }: Call): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function cannotListen(port: number, cause: unknown): ConfigError {
  const reason = systemCodeOf(cause) ?? messageOf(cause);
  return new ConfigError(`--admin-port: 127.0.0.1:${port} cannot be listened on (${reason})`, {
    cause,
    hint: "name another port by --admin-port, such as 17539",
  });
}

async function close(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await settlesWithin(closed, closeLimitMs, clock);
  server.closeAllConnections();
  await closed;
}
