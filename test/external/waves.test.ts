import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { state } from "@aws-sdk/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { openAppCache, openCache } from "../../src/agent/caches/index.ts";
import { FakeArtifactSource } from "../../src/agent/deploy/artifact-source.fake.ts";
import type { AgentEvent } from "../../src/agent/event.ts";
import { commitRelease } from "../../src/agent/ledger/attempt.ts";
import { quarantine } from "../../src/agent/ledger/holds.ts";
import { fakeLedger } from "../../src/agent/ledger/ledger.fake.ts";
import { choiceOf, releaseOf } from "../../src/agent/waves/simulated-fleet.fake.ts";
import { parseWavePlan } from "../../src/agent/waves/wave-plan.ts";
import { openWaves } from "../../src/agent/waves/waves.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { describeWith } from "../component.ts";
import { cephStartMs, startCeph } from "./ceph.ts";
import { startConsul } from "./consul.ts";
import { startRedis } from "./redis.ts";

const minuteMs = 60_000;

describeWith("redis-server")("hosts that share a Redis", () => {
  it("install one wave after the other, though they all ask at once", async ({ signal }) => {
    const { port } = await startRedis();

    await oneAfterTheOther(await openFleet(`redis://127.0.0.1:${port}`), signal);
  });
});

describeWith("consul")("hosts that share a Consul", () => {
  it("install one wave after the other, though they all ask at once", async ({ signal }) => {
    const { port } = await startConsul();

    await oneAfterTheOther(await openFleet(`consul://127.0.0.1:${port}`), signal);
  });
});

describeWith(
  "radosgw",
  "ceph-mon",
  "ceph-osd",
)("hosts that share a bucket of Ceph", () => {
  it(
    "install one wave after the other, though they all ask at once",
    async ({ signal }) => {
      const { endpoint, accessKey, secretKey, stop } = await startCeph();
      onTestFinished(stop);
      const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
      state.warningEmitted = true; // about Node 20
      const client = new S3Client({
        ...{ region: "default", endpoint: endpoint.href, forcePathStyle: true, credentials },
      });
      await client.send(new CreateBucketCommand({ Bucket: "fleet" }));
      client.destroy();
      const environment = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
      const url = `s3://default/fleet/dewy?endpoint=${encodeURIComponent(endpoint.href)}`;

      await oneAfterTheOther(await openFleet(url, environment), signal);
    },
    cephStartMs + 120_000,
  );
});

describe("hosts that share a directory", () => {
  it("install one wave after the other, though they all ask at once", async ({ signal }) => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-waves-"));

    await oneAfterTheOther(await openFleet(`file://${directory}`), signal);
  });
});

type Fleet = Awaited<ReturnType<typeof openFleet>>;

async function oneAfterTheOther(fleet: Fleet, signal: AbortSignal): Promise<void> {
  const { hosts, events } = fleet;
  await fleet.allLook(signal);
  fleet.pass(2 * minuteMs);
  await fleet.allLook(signal);

  const [first, ...none] = await fleet.thoseThatMay("v2", signal);
  expect(none).toEqual([]);
  expect(await fleet.thoseThatMay("v2", signal)).toEqual([first]);

  await first?.ledger.update((state) => commitRelease(state, releaseOf("v2")));
  await fleet.allLook(signal);
  await fleet.thoseThatMay("v2", signal);
  fleet.pass(minuteMs);
  const second = await fleet.thoseThatMay("v2", signal);
  expect(second).toHaveLength(4);
  expect(second).toContain(first);

  const bad = second.find((host) => host !== first);
  const verdict = { reason: "answered 500", failures: 1, logTail: [] };
  const release = { tag: "v2", identity: "v2", at: "2026-01-01T00:00:00.000Z" };
  await bad?.ledger.update((state) => quarantine(state, { ...release, ...verdict }));
  await fleet.allLook(signal);
  fleet.pass(60 * minuteMs);
  const held = hosts.filter((host) => !second.includes(host));
  for (const { waves } of held) {
    const wait = await waves.waits(choiceOf("v2"), { signal });
    expect(wait?.reason).toContain(`halted: it was bad on ${bad?.name}: answered 500`);
  }
  expect(events.map(({ type }) => type)).toEqual(["rollout halted"]);
}

/** Eight hosts, each with a connection of its own, and a clock that the test moves. */
async function openFleet(url: string, environment: Record<string, string> = {}) {
  const events: AgentEvent[] = [];
  let nowMs = 0;
  const rules = { failureLimit: 1, soakMs: minuteMs, timeoutMs: 30 * minuteMs, intervalMs: 10_000 };
  const options = { plan: parseWavePlan("1,50%,100%"), ...rules };
  const open = async (index: number) => {
    const http = openHttpClient({ userAgent: "dewy/test" });
    const driver = await openCache(url, { http, clock: systemClock, environment });
    const root = await mkdtemp(join(tmpdir(), "dewy-host-"));
    const registry = new FakeArtifactSource({ body: Buffer.from("x") });
    const app = { cache: driver, registry, root, host: "host", logger: silentLogger };
    const cache = await openAppCache({ ...app, sharesEntries: true });
    onTestFinished(async () => {
      await cache.close();
      await driver.close();
      http.close();
    });
    const ledger = fakeLedger({ version: 1, releases: [], active: releaseOf("v1") });
    const waves = openWaves(options, {
      ...{ cache: cache.entries, self: `host-${index}:/srv`, key: "waves-test", ledger },
      ...{ clock: systemClock, logger: silentLogger, nowMs: () => nowMs },
      observe: (event) => events.push(event),
    });
    return { name: `host-${index}`, ledger, waves };
  };
  const hosts = await Promise.all(Array.from({ length: 8 }, (_, index) => open(index)));
  return {
    hosts,
    events,
    pass(ms: number): void {
      nowMs += ms;
    },
    async allLook(signal: AbortSignal): Promise<void> {
      await Promise.all(hosts.map(({ waves }) => waves.look({ signal })));
      for (const { waves } of hosts) await waves.look({ signal }); // who was too often second
    },
    async thoseThatMay(tag: string, signal: AbortSignal) {
      const asked = hosts.map(async (host) => {
        for (;;) {
          const wait = await host.waves.waits(choiceOf(tag), { signal });
          if (wait?.reason.startsWith("other hosts are writing")) continue;
          return wait === undefined ? [host] : [];
        }
      });
      return (await Promise.all(asked)).flat();
    },
  };
}
