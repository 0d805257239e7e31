import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Call, isEchoOf } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
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

export const defaultAdminPort = 17_539;
/** As the original: several agents on one host take the ports one after the other. */
const triedPorts = 10;
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
    answer().catch((error: unknown) => {
      logger.error("an admin request could not be answered", { error });
      response.destroy();
    });

    async function answer(): Promise<void> {
      const { status, headers, body } = await answerOrFailure(() => adminAnswer(request, parts));
      if (!server.listening) response.setHeader("connection", "close");
      response.writeHead(status, {
        ...headers,
        "content-length": Buffer.byteLength(body),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      });
      response.end(request.method === "HEAD" ? undefined : body);
    }
  });
  const first = port === 0 ? defaultAdminPort : port;
  const address = await listenFrom(server, first, call);
  logger.info("Admin API started", { address });

  return { address, close: () => close(server, clock) };

  async function answerOrFailure(ask: () => Promise<AdminAnswer>): Promise<AdminAnswer> {
    try {
      return await ask();
    } catch (error) {
      logger.error("an admin request could not be answered", { error });
      return refusal(500, "look into dewy's log");
    }
  }
}

async function listenFrom(server: Server, first: number, call: Call): Promise<string> {
  const last = Math.min(first + triedPorts - 1, 65_535);
  for (let port = first; port <= last; port++) {
    try {
      await listenOn(server, port, call);
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    } catch (error) {
      if (isEchoOf(call.signal, error)) throw error;
      if (systemCodeOf(error) !== "EADDRINUSE") throw cannotListen(port, error);
    }
  }
  throw new ConfigError(`--admin-port: 127.0.0.1:${first} to ${last} are all taken`, {
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
