import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { silentLogger } from "../../base/logger.ts";
import { digestOf } from "../../oci/digest.ts";
import { type Cache, CacheError } from "../cache.ts";
import { openMemoryCache } from "../caches/memory.ts";
import type { Choice } from "../choose/choose.ts";
import type { AgentEvent } from "../event.ts";
import { follow } from "../follow.ts";
import { commitRelease } from "../ledger/attempt.ts";
import { heldReason } from "../ledger/holds.ts";
import { fakeLedger } from "../ledger/ledger.fake.ts";
import { ProbeError } from "../readiness/probe-error.ts";
import { SimulatedTime } from "./simulated-time.fake.ts";
import { parseWavePlan } from "./wave-plan.ts";
import { openWaves, type WaveOptions, type Waves } from "./waves.ts";

export interface FleetPlan {
  seed: number;
  hosts: number;
  waves: string;
  changes?: Partial<WaveOptions>;
  labelOf?: (index: number) => string | undefined;
}

/** What a release does on a host, once it is installed there. */
export type Behaviour = "good" | "bad" | "kills the host";

/** Hosts that follow one registry by the real loop, with real waves, in simulated time. */
export function simulateFleet({ seed, hosts, waves, changes, labelOf }: FleetPlan) {
  const time = new SimulatedTime();
  const random = randomOf(seed);
  const store = openStore(time);
  const fleet = {
    ...{ time, random, store },
    newest: "v1",
    /** What a host takes that may not have the newest. */
    before: "v1",
    behaviour: (_tag: string, _host: number): Behaviour => "good",
    events: [] as AgentEvent[],
    hosts: [] as SimulatedHost[],
    /** Hosts on which `tag` was installed, whatever became of it. */
    tried: (tag: string) => fleet.hosts.filter(({ tried }) => tried.has(tag)),
    running: (tag: string) => fleet.hosts.filter(({ ledger }) => ledger.state.active?.tag === tag),
    start(index: number, kind = { isNew: false }): SimulatedHost {
      const host = startHost(index, kind, parts);
      fleet.hosts.push(host);
      return host;
    },
    stop() {
      for (const host of fleet.hosts) host.die();
    },
  };
  const rules = { failureLimit: 1, soakMs: 120_000, timeoutMs: 900_000, intervalMs: 30_000 };
  const options = { plan: parseWavePlan(waves), ...rules, ...changes };
  const parts = { fleet, time, random, cache: store.cache, options, labelOf };
  for (let index = 0; index < hosts; index++) fleet.start(index);
  return fleet;
}

export interface SimulatedHost {
  index: number;
  ledger: ReturnType<typeof fakeLedger>;
  tried: Set<string>;
  waves: Waves;
  waiting: string | undefined;
  die(): void;
  /** As an agent that is started again. */
  revive(): void;
}

interface HostParts {
  fleet: {
    newest: string;
    before: string;
    behaviour(tag: string, host: number): Behaviour;
    events: AgentEvent[];
  };
  time: SimulatedTime;
  random: () => number;
  cache: Cache;
  options: WaveOptions;
  labelOf: FleetPlan["labelOf"];
}

const longestInstallMs = 40_000;

function startHost(index: number, { isNew }: { isNew: boolean }, parts: HostParts): SimulatedHost {
  const { fleet, time, random } = parts;
  const ledger = fakeLedger({
    version: 1,
    releases: [],
    ...(!isNew && { active: releaseOf("v1") }),
  });
  const tried = new Set<string>();
  const host: SimulatedHost = {
    ...{ index, ledger, tried, waiting: undefined },
    waves: undefined as unknown as Waves,
    die: () => {},
    revive,
  };
  revive();
  return host;

  function revive(): void {
    const over = new AbortController();
    let begun = false;
    const call = { signal: over.signal };
    const clock = wrong(time, (random() - 0.5) * 1_200_000);
    const waves = wavesOf(index, host, clock, parts);
    host.waves = waves;
    host.die = () => over.abort(new Error("the host is off"));
    waves.attend(call).catch(() => {});
    follow(
      {
        choose: async () => candidate(fleet, host, clock),
        waits: async (choice, each) => {
          const wait = await waves.waits(choice, each);
          host.waiting = wait?.reason;
          return wait;
        },
        async deploy({ tag }, each) {
          tried.add(tag);
          await clock.sleep(1_000 + random() * longestInstallMs, each);
          const behaviour = fleet.behaviour(tag, index);
          if (behaviour === "kills the host") host.die();
          each.signal.throwIfAborted();
          if (behaviour === "bad") throw new ProbeError("UNHEALTHY", "answered 500");
          await ledger.update((state) => commitRelease(state, releaseOf(tag)));
        },
        keepRunning: async (each) => {
          if (!begun) await clock.sleep(random() * parts.options.intervalMs, each);
          begun = true;
        },
        async rest(_ms, each) {
          await waves.look(each);
          await clock.sleep(parts.options.intervalMs * (0.9 + random() * 0.2), each);
        },
        ...{ ledger, clock, logger: silentLogger, intervalMs: 10_000, observe: () => {} },
      },
      call,
    ).catch(() => {});
  }
}

function wavesOf(index: number, host: SimulatedHost, clock: Clock, parts: HostParts): Waves {
  const { options, cache, time, labelOf, fleet } = parts;
  const bootMs = time.nowMs - index;
  return openWaves(
    { ...options, label: labelOf?.(index) },
    {
      ...{ cache, clock, key: "waves-test", logger: silentLogger, ledger: host.ledger },
      self: `host-${index}:/srv/app`,
      observe: (event) => fleet.events.push(event),
      nowMs: () => time.nowMs - bootMs,
    },
  );
}

/** The newest release, and what is in service where that one is held. */
function candidate(
  { newest: tag, before }: HostParts["fleet"],
  { ledger, waves }: SimulatedHost,
  clock: Clock,
): Choice {
  const state = waves.holdsOn(ledger.state);
  const isHeld = heldReason(state, { tag, identity: tag }, clock.now()) !== undefined;
  return choiceOf(isHeld ? (state.active?.tag ?? before) : tag);
}

/** Minutes off, as the clocks of hosts without NTP are. */
function wrong(time: SimulatedTime, offMs: number): Clock {
  return {
    now: () => new Date(time.now().getTime() + offMs),
    sleep: (ms, call) => time.sleep(ms, call),
  };
}

function openStore(time: SimulatedTime) {
  let isDown = false;
  let memory = openMemoryCache({ clock: time });
  const check = () => {
    if (isDown) throw new CacheError("UNAVAILABLE", "redis://store does not answer");
  };
  const cache: Cache = {
    ...memory,
    async read(key: string, call: Call) {
      check();
      return await memory.read(key, call);
    },
    async write(...asked: Parameters<Cache["write"]>) {
      check();
      return await memory.write(...asked);
    },
  };
  return {
    cache,
    fail: () => {
      isDown = true;
    },
    recover: () => {
      isDown = false;
    },
    forget: () => {
      memory = openMemoryCache({ clock: time });
    },
  };
}

export function releaseOf(tag: string) {
  return {
    ...{ tag, identity: tag, digest: digestOf(tag), artifact: "app.tar.gz" },
    ...{ directory: `/srv/app/releases/${tag}`, since: "2026-01-01T00:00:00.000Z" },
  };
}

export function choiceOf(tag: string): Choice {
  const artifact = { name: "app.tar.gz", identity: tag, url: "http://registry/app.tar.gz" };
  const release = { tag, artifacts: [artifact], publishedAt: undefined };
  return { tag, release, artifact, passedOver: [] } as unknown as Choice;
}

/** The same numbers for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
