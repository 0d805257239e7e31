import { setMaxListeners } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AppCache, openAppCache, openCache } from "../../src/agent/caches/index.ts";
import { choose } from "../../src/agent/choose/choose.ts";
import { rulesOf } from "../../src/agent/choose/rules.ts";
import { thisHost } from "../../src/agent/host.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import type { ReleaseRegistry } from "../../src/agent/release.ts";
import { type Call, isEchoOf } from "../../src/base/call.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { table } from "../table.ts";
import type { Sighting } from "./meter.ts";
import { openCounter } from "./redis.ts";
import type { Subject } from "./subject.ts";

/** Thirty times as fast as the default interval of 10 s with `registry-ttl=30s`. */
export const compressed = { intervalMs: 333, windowMs: 1000, times: 30 } as const;
const windows = 20;
const settleMs = 3_000;

export interface FleetFigures {
  name: string;
  agents: number;
  polls: number;
  windows: number;
  /** How often the list of releases was asked for. */
  looks: number;
  requests: number;
  /** Both ways. */
  bytes: number;
  counted: number;
  /** Whether an idle poll is promised to be free of what is counted. */
  isFree: boolean;
  /** What a host's first look in its life costs of that; it was taken before the measurement. */
  countedAtFirst: number;
  redisCommands: number;
}

/**
 * Agents that share a Redis poll for twenty windows, all in this process: each has connections, a
 * cache and a memory of its own, as if it were on a host of its own.
 */
export async function measureFleet(
  subject: Subject,
  redisPort: number,
  agents: number,
): Promise<FleetFigures> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-bench-fleet-"));
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const counter = await openCounter(redisPort);
  const hosts: Host[] = [];
  try {
    for (let index = 0; index < agents; index++) {
      hosts.push(await openHost(subject, join(directory, `${index}`), redisPort));
    }
    return await measured(subject, hosts, counter, stop);
  } finally {
    stop.abort();
    for (const host of hosts) await host.close();
    counter.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measured(
  subject: Subject,
  hosts: readonly Host[],
  counter: { commands(): Promise<number> },
  stop: AbortController,
): Promise<FleetFigures> {
  let polls = 0;
  for (const host of hosts) await host.lookAlone(stop);
  const countedAtFirst = countedOf(subject) / hosts.length;
  const polling = Promise.all(hosts.map((host) => keepPolling(host, stop, () => polls++)));
  await Promise.race([systemClock.sleep(settleMs, stop), polling]);
  for (const meter of subject.meters) meter.reset();
  const before = { polls, commands: await counter.commands(), atMs: performance.now() };
  await Promise.race([systemClock.sleep(windows * compressed.windowMs, stop), polling]);
  const sightings = sightingsOf(subject);
  const figures = {
    ...{ name: subject.name, isFree: subject.isFree, agents: hosts.length },
    polls: polls - before.polls,
    windows: (performance.now() - before.atMs) / compressed.windowMs,
    looks: sightings.filter(subject.beginsLook).length,
    ...{ requests: sightings.length, bytes: bytesOf(subject) },
    ...{ counted: countedOf(subject), countedAtFirst },
    redisCommands: (await counter.commands()) - before.commands,
  };
  stop.abort();
  await polling;
  return figures;
}

const sightingsOf = ({ meters }: Subject): Sighting[] =>
  meters.flatMap((meter) => meter.reading().sightings);

function bytesOf({ meters }: Subject): number {
  const readings = meters.map((meter) => meter.reading());
  return readings.reduce((sum, { sentBytes, receivedBytes }) => sum + sentBytes + receivedBytes, 0);
}

const countedOf = (subject: Subject): number =>
  sightingsOf(subject).filter(subject.isCounted).length;

interface Host {
  /** Without the cache, as who has been up for a while has done at some time. */
  lookAlone(call: Call): Promise<void>;
  poll(call: Call): Promise<void>;
  close(): Promise<void>;
}

async function openHost(subject: Subject, root: string, redisPort: number): Promise<Host> {
  const { environment } = subject;
  const parts = { http: openHttpClient({ userAgent: "dewy/bench" }), clock: systemClock };
  const { registry, rules: query } = await openReleaseRegistry(subject.registry, {
    ...parts,
    environment,
  });
  const url = `redis://127.0.0.1:${redisPort}?registry-ttl=${compressed.windowMs / 1000}s`;
  const cache = await openCache(url, { ...parts, environment });
  const logger = silentLogger;
  const app: AppCache = await openAppCache({ cache, registry, root, host: root, logger });
  const rules = await rulesOf(query, {}, thisHost());
  const choosing = { clock: systemClock, logger, warned: new Set<string>() };
  const look = async (place: ReleaseRegistry, call: Call) => {
    if (await choose(place, rules, choosing, call)) return;
    throw new Error(`${subject.registry} has no release`);
  };
  return {
    lookAlone: (call) => look(registry, call),
    poll: (call) => look(app.registry, call),
    async close() {
      await app.close();
      await cache.close();
      await registry.close();
      parts.http.close();
    },
  };
}

/** In a rhythm as the agent's: from poll to poll, up to a tenth earlier or later. */
async function keepPolling(host: Host, call: Call, polled: () => void): Promise<void> {
  try {
    await systemClock.sleep(Math.random() * compressed.intervalMs, call);
    for (;;) {
      await host.poll(call);
      polled();
      await systemClock.sleep(compressed.intervalMs * (0.9 + Math.random() * 0.2), call);
    }
  } catch (error) {
    if (!isEchoOf(call.signal, error)) throw error;
  }
}

/** One look in a window; where the measurement begins and ends within one, there is one more. */
export function isPromiseKept({ looks, windows: count, isFree, counted }: FleetFigures): boolean {
  return looks <= Math.ceil(count) + 1 && (!isFree || counted === 0);
}

export function fleetTable(all: readonly FleetFigures[]): string[] {
  const head = ["sharing a Redis", "agents", "polls", "windows", "looks per window", "promised"];
  const perPolls = ["per 1,000 polls: requests", "KiB", "counted", "promised"];
  const rest = ["first look of a host: counted", "polls per look", "Redis commands per poll"];
  const rows = all.map((figures) => {
    const { name, agents, polls, windows: count, looks, isFree, countedAtFirst } = figures;
    const perThousand = (value: number) => ((value / polls) * 1000).toFixed(0);
    return [
      ...[name, `${agents}`, `${polls}`, count.toFixed(1), (looks / count).toFixed(2), "1"],
      ...[perThousand(figures.requests), perThousand(figures.bytes / 1024)],
      ...[perThousand(figures.counted), isFree ? "0" : "-", countedAtFirst.toFixed(0)],
      ...[(polls / looks).toFixed(1), (figures.redisCommands / polls).toFixed(2)],
    ];
  });
  const note = `interval and registry-ttl ${compressed.times} times as short as 10 s and 30 s; all agents in one process, each with its own connections; without the cache each poll is a look`;
  return [...table([[...head, ...perPolls, ...rest], ...rows]), note];
}
