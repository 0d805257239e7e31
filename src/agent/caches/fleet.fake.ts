import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "../../base/call.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { Cache } from "../cache.ts";
import { type Artifact, type Release, ReleaseRegistryError } from "../release.ts";
import { FakeReleaseRegistry } from "../release-registry.fake.ts";
import { openMemoryCache } from "./memory.ts";
import { sharedRegistry } from "./shared-registry.ts";

export const ttlMs = 60_000;

/** Several agents on one cache and one registry. */
export function openFleet() {
  const clock = new FakeClock();
  const memory = openMemoryCache({ clock });
  const keys = new Set<string>();
  const cache: Cache = {
    ...memory,
    write(key, ...rest) {
      keys.add(key);
      return memory.write(key, ...rest);
    },
  };
  const upstream = new Upstream();
  upstream.publish("v1", ["app.tar.gz"]);

  return {
    clock,
    cache,
    upstream,
    keys: () => [...keys],
    agent(changes: DriverChanges = {}, its: Cache = cache) {
      const logger = new FakeLogger();
      const registry = driverOf(upstream, changes);
      const shared = sharedRegistry(registry, { cache: its, ttlMs, logger, host: "host" });
      return { shared, logger };
    },
    async tagsKey(signal: AbortSignal) {
      const registry = driverOf(upstream, {});
      const logger = new FakeLogger();
      await sharedRegistry(registry, { cache, ttlMs, logger, host: "host" }).tags({ signal });
      return [...keys][0] ?? "";
    },
  };
}

export class Upstream extends FakeReleaseRegistry {
  readonly calls: string[] = [];
  readonly reports: unknown[] = [];
  failure: Error | undefined;
  hangs = false;

  async ask(what: string, { signal }: Call): Promise<void> {
    this.calls.push(what);
    if (this.hangs) await sleep(60_000, undefined, { signal });
    await sleep(20, undefined, { signal });
    if (this.failure) throw this.failure;
  }
}

export interface DriverChanges {
  name?: string;
  scope?: string;
  /** Answers from the list that it was last told, as GitHub's driver does. */
  remembers?: boolean;
  /** As gRPC's driver. */
  knowsOnlyWhatItAsked?: boolean;
}

/** One host's driver of the registry, with whatever it keeps to itself. */
export function driverOf(upstream: Upstream, changes: DriverChanges) {
  const { name = upstream.name, scope, remembers, knowsOnlyWhatItAsked } = changes;
  let list: Release[] | undefined;
  const known = new Set<string>();
  const check = (identity: string) => {
    if (!knowsOnlyWhatItAsked || known.has(identity)) return;
    throw new ReleaseRegistryError("INVALID_ANSWER", "announced no more");
  };
  return {
    name,
    ...(scope !== undefined && { scope }),
    async tags(call: Call) {
      await upstream.ask("tags", call);
      list = [...upstream.releases];
      return list.map(({ tag }) => tag);
    },
    async release(tag: string, call: Call) {
      await upstream.ask(`release ${tag}`, call);
      const found = (remembers && list ? list : upstream.releases).find((one) => one.tag === tag);
      for (const { identity } of found?.artifacts ?? []) known.add(identity);
      return found;
    },
    async open(artifact: Artifact, call: Call & { from: number }) {
      check(artifact.identity);
      return await upstream.open(artifact, call);
    },
    async report(report: { identity: string }) {
      check(report.identity);
      upstream.reports.push(report);
    },
    async close() {},
  };
}
