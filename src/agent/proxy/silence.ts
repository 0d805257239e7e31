import type { Connection } from "./connection.ts";
import { partUnheard } from "./joined-connections.ts";

/** A connection that may be given up when nothing moves on it. */
export interface Watched {
  client: Connection;
  /** The last one that was tried. */
  upstream: Connection | undefined;
  isJoined: boolean;
  /** What both have read, when something was seen to move last. */
  moved: number;
  movedAt: number;
}

export interface SilenceLimits {
  /** For those that are joined; 0 for never. */
  idleMs: number;
  /** For an upstream that does not accept. */
  connectMs: number;
}

const longestPeriodMs = 1_000;

/**
 * Looks at all connections a few times within the shortest limit, since a timer for each socket would
 * be set anew with each chunk. What is silent for longer than its limit is told of; what has lost one of
 * its two without a word is let go.
 */
export class Silence {
  readonly #limits: SilenceLimits;
  readonly #tell: (connection: Watched) => void;
  readonly #all = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: SilenceLimits, tell: (connection: Watched) => void) {
    this.#limits = limits;
    this.#tell = tell;
  }

  add(connection: Watched): void {
    this.#all.add(connection);
    const { idleMs, connectMs } = this.#limits;
    const shortestMs = Math.min(idleMs || connectMs, connectMs);
    this.#timer ??= setInterval(() => this.#look(), Math.min(longestPeriodMs, shortestMs / 4));
  }

  delete(connection: Watched): void {
    this.#all.delete(connection);
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    const { idleMs, connectMs } = this.#limits;
    for (const connection of this.#all) {
      const moved = movedOn(connection);
      if (moved !== connection.moved) {
        connection.moved = moved;
        connection.movedAt = now;
      }
      const { client, upstream, isJoined } = connection;
      if (isJoined && upstream) partUnheard(client, upstream);
      const limitMs = isJoined ? idleMs : connectMs;
      if (limitMs > 0 && now - connection.movedAt >= limitMs) this.#tell(connection);
    }
  }
}

/** Other than before when either has read something, or what waits to be written has become less. */
function movedOn({ client, upstream }: Watched): number {
  const waiting = client.writableLength + (upstream?.writableLength ?? 0);
  return client.bytesRead + (upstream?.bytesRead ?? 0) - waiting / 2;
}
