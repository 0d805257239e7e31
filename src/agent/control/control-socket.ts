import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { openSocketPath, type SocketPath } from "../../base/socket-path.ts";
import { type Control, type ControlAnswer, controlAnswer, failure } from "./control-request.ts";

/** In the directory of an app. */
export const socketOf = (directory: string): string => join(directory, ".dewy", "control.sock");

const headersLimitMs = 5_000;
const requestLimitMs = 10_000;
const closeLimitMs = 5_000;
const maximumConnections = 64;

export interface ControlSocket {
  /** Breaks off what is asked, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Answers whoever may write to the socket in `directory`: the user that runs the agent, and root. What
 * a killed agent has left there is replaced, as the caller holds the lock on the directory.
 *
 * Where there can be no socket, the agent goes on without one, and says so.
 */
export async function openControlSocket(
  directory: string,
  control: Control,
  parts: { clock: Clock; logger: Logger },
): Promise<ControlSocket> {
  const { clock, logger } = parts;
  const path = socketOf(directory);
  const place = await openSocketPath(path);
  if (place === undefined) {
    logger.warn("the path is too long for a socket: nobody can ask this agent anything", { path });
    return { async close() {} };
  }
  const ended = new AbortController();
  const server = answering(control, ended.signal, logger);
  try {
    await rm(path, { force: true });
    await listenOn(server, place);
    await chmod(path, 0o600);
  } catch (error) {
    logger.warn("the control socket cannot be opened: nobody can ask this agent anything", {
      ...{ path, error },
    });
  }
  server.on("error", (error) => logger.warn("the control socket failed", { path, error }));

  return {
    async close() {
      ended.abort(new Error("the agent ends"));
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await settlesWithin(closed, closeLimitMs, clock);
      server.closeAllConnections();
      await closed; // which removes the socket
      await place.close();
    },
  };
}

function answering(control: Control, signal: AbortSignal, logger: Logger): Server {
  const server = createServer({
    headersTimeout: headersLimitMs,
    requestTimeout: requestLimitMs,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = maximumConnections;
  server.on("request", (request, response) => {
    response.on("error", () => {}); // the one who asked is gone
    void answerOf(request, control, signal, logger).then((answer) => send(answer, response));
  });
  return server;
}

async function answerOf(
  request: IncomingMessage,
  control: Control,
  signal: AbortSignal,
  logger: Logger,
): Promise<ControlAnswer> {
  try {
    return await controlAnswer(request, control, { signal });
  } catch (error) {
    if (signal.aborted) return failure(503, "FAILED", "the agent was told to end meanwhile");
    logger.error("a control request could not be answered", { error });
    return failure(500, "FAILED", "the agent could not answer", "look into its log");
  }
}

function send({ status, body }: ControlAnswer, response: ServerResponse): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    connection: "close",
  });
  response.end(text);
}

function listenOn(server: Server, { path }: SocketPath): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
