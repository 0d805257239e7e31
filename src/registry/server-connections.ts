import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";

export interface ConnectionLimit {
  server: HttpServer | HttpsServer;
  /** All that are open, the oldest first. */
  sockets: ReadonlySet<Socket>;
  most: number | undefined;
}

/** Of those that have said nothing for so long, so many make room for one that may. */
const mostSilentEnded = 8;
const silenceMs = 1_000;
const warnEveryMs = 60_000;

/**
 * Takes no more connections than there are files for: one too many would fail a request that is being
 * served. Whoever is turned away makes room for the next: connections that wait for a request end,
 * and the oldest of those that have never sent a byte.
 */
export function limitConnections(
  { server, sockets, most }: ConnectionLimit,
  { clock, logger }: { clock: Clock; logger: Logger },
): void {
  if (most === undefined) return;
  server.maxConnections = most;
  const since = new WeakMap<Socket, number>();
  server.on("connection", (socket: Socket) => since.set(socket, performance.now()));
  let warnedMs = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    server.closeIdleConnections();
    endSilent();
    const nowMs = clock.now().getTime();
    if (Math.abs(nowMs - warnedMs) < warnEveryMs) return;
    warnedMs = nowMs;
    const hint =
      "raise the limit of open files: LimitNOFILE= in a systemd unit, --ulimit of docker";
    logger.warn("all connections that there are files for are open", { most, hint });
  });

  function endSilent(): void {
    let ended = 0;
    for (const socket of sockets) {
      if (performance.now() - (since.get(socket) ?? 0) < silenceMs) return; // and so are the rest
      if (socket.bytesRead > 0) continue;
      socket.destroy();
      if (++ended === mostSilentEnded) return;
    }
  }
}
