import { type Connection, openConnection } from "./connection.ts";
import type { Subject } from "./subject.ts";

/** One kind of work that every subject is given, in turns. */
export interface Scenario {
  name: string;
  clients: number;
  /** How often a round does it, and how many rounds are measured. */
  count: number;
  rounds: number;
  /** How many times what Distribution does, it is promised to do. */
  promised?: number;
  /** Made before the clock runs. */
  prepare(serial: number): (connection: Connection) => Promise<unknown>;
}

export interface Measured {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** A registry runs for weeks: what is measured is not the first seconds, for which V8 interprets it. */
const warmUpMs = 2_000;

/** The median of the rounds for each subject: what else the machine does falls on all alike. */
export async function measure(
  subjects: readonly Subject[],
  scenario: Scenario,
): Promise<Measured[]> {
  const rates = subjects.map((): number[] => []);
  const times = subjects.map((): number[] => []);
  for (const subject of subjects) {
    const begun = performance.now();
    while (performance.now() - begun < warmUpMs) await oneRound(subject, scenario, 0);
  }
  for (let round = 0; round < scenario.rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      const first = (round * subjects.length + index) * scenario.count;
      const result = await oneRound(subject, scenario, first);
      rates[index]?.push(result.perSecond);
      times[index]?.push(...result.times);
    }
  }
  return subjects.map((_, index) => ({
    perSecond: percentile(rates[index] ?? [], 0.5),
    p50Ms: percentile(times[index] ?? [], 0.5),
    p99Ms: percentile(times[index] ?? [], 0.99),
  }));
}

async function oneRound({ address }: Subject, scenario: Scenario, first: number) {
  const { clients, count, prepare } = scenario;
  const works = Array.from({ length: count }, (_, index) => prepare(first + index));
  const connections = await Promise.all(
    Array.from({ length: clients }, () => openConnection(address)),
  );
  const times: number[] = [];
  const begun = performance.now();
  const client = async (connection: Connection) => {
    for (let work = works.shift(); work !== undefined; work = works.shift()) {
      const begunWork = performance.now();
      await work(connection);
      times.push(performance.now() - begunWork);
    }
  };
  try {
    await Promise.all(connections.map(client));
  } finally {
    for (const connection of connections) connection.close();
  }
  return { perSecond: (1000 * count) / (performance.now() - begun), times };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
