import type { Connection } from "./connection.ts";

/** Of the original: seconds until a backend accepts, and those a connection lasts. */
export const connectBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
export const durationBounds = [
  ...[0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000],
];

/** How many values lie in each bucket alone; one more than there are bounds. */
export interface Distribution {
  count: number;
  sum: number;
  buckets: number[];
}

/** What one port has carried since it was opened first. */
export interface PortStatistics {
  port: number;
  backends: number;
  active: number;
  total: number;
  /** Clients that nobody was there for, or whose backend broke off. */
  errors: number;
  /** Connections over the limit. */
  refused: number;
  /** Both ways, of those that are still open too; not from those who cannot tell. */
  bytes?: number | undefined;
  /** Seconds; not from those who cannot tell. */
  connects?: Distribution | undefined;
  durations?: Distribution | undefined;
}

/** Counts for one port. */
export interface PortCounts {
  /** A client was accepted. */
  begin(client: Connection): void;
  /** It is closed, after so long. */
  end(client: Connection, ms: number): void;
  /** A backend has accepted after so long. */
  connected(ms: number): void;
  failed(): void;
  refused(): void;
  read(backends: number): PortStatistics;
}

export function openPortCounts(port: number): PortCounts {
  const clients = new Set<Connection>();
  const counts = { total: 0, errors: 0, refused: 0, bytes: 0 };
  const [connects, durations] = [emptied(connectBounds), emptied(durationBounds)];
  return {
    begin(client) {
      counts.total++;
      clients.add(client);
    },
    end(client, ms) {
      clients.delete(client);
      counts.bytes += bytesOf(client);
      record(durations, durationBounds, ms / 1000);
    },
    connected: (ms) => record(connects, connectBounds, ms / 1000),
    failed: () => void counts.errors++,
    refused: () => void counts.refused++,
    read(backends) {
      const open = [...clients].reduce((sum, client) => sum + bytesOf(client), 0);
      return {
        ...{ port, backends, active: clients.size, ...counts, bytes: counts.bytes + open },
        connects: { ...connects, buckets: [...connects.buckets] },
        durations: { ...durations, buckets: [...durations.buckets] },
      };
    },
  };
}

/** `before` is what another process has counted for the same ports. */
export function added(
  now: readonly PortStatistics[],
  before: readonly PortStatistics[],
): PortStatistics[] {
  const ports = new Set([...now, ...before].map(({ port }) => port));
  return [...ports].map((port) => {
    const mine = now.find((one) => one.port === port);
    const theirs = before.find((one) => one.port === port);
    if (!mine || !theirs) return mine ?? { ...(theirs as PortStatistics), backends: 0 };
    return {
      ...{ port, backends: mine.backends },
      active: mine.active + theirs.active,
      total: mine.total + theirs.total,
      errors: mine.errors + theirs.errors,
      refused: mine.refused + theirs.refused,
      bytes: (mine.bytes ?? 0) + (theirs.bytes ?? 0),
      connects: joined(mine.connects, theirs.connects),
      durations: joined(mine.durations, theirs.durations),
    };
  });
}

function joined(one?: Distribution, other?: Distribution): Distribution | undefined {
  if (!one || !other) return one ?? other;
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    buckets: one.buckets.map((value, place) => value + (other.buckets[place] ?? 0)),
  };
}

const emptied = (bounds: readonly number[]): Distribution => ({
  ...{ count: 0, sum: 0 },
  buckets: Array<number>(bounds.length + 1).fill(0),
});

function record(into: Distribution, bounds: readonly number[], value: number): void {
  const place = bounds.findIndex((bound) => value <= bound);
  const index = place < 0 ? bounds.length : place;
  into.count++;
  into.sum += value;
  into.buckets[index] = (into.buckets[index] ?? 0) + 1;
}

const bytesOf = ({ bytesRead, bytesWritten }: Connection) => bytesRead + bytesWritten;
