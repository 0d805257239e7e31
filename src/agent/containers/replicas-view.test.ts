import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { readContainerMetrics } from "../telemetry/container-metrics.ts";
import { openReplicasView, withReplicas } from "./replicas-view.ts";
import { countRestarts } from "./restarts.ts";
import type { Container } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

const call = { signal: new AbortController().signal };

it("asks the engine once in five seconds, and again when something has happened", async () => {
  const { view, clock, asked } = openView();

  await view.look(call);
  await view.look(call);
  expect(asked()).toBe(1);

  view.forget();
  await view.look(call);
  expect(asked()).toBe(2);

  await clock.advance(5_000);
  await view.look(call);
  expect(asked()).toBe(3);
});

it("remembers for so long that the engine does not answer", async () => {
  const { view, asked } = openView(() => Promise.reject(new Error("no engine")));

  await expect(view.look(call)).rejects.toThrow("no engine");
  await expect(view.look(call)).rejects.toThrow("no engine");

  expect(asked()).toBe(1);
});

it("knows who serves, with how many connections, and how often those in its place have ended", async () => {
  const { view, restarts } = openView();
  restarts.note(0, 1);

  expect(view.counts()).toEqual({
    ...{ serving: 1, asked: 2, crashes: 1, rollout: { tag: "v2", ready: 1 } },
    nextStartAt: expect.any(Date),
  });
  expect(await view.look(call)).toMatchObject([
    {
      index: 0,
      isServing: true,
      unwell: { reason: "it says 500" },
      connections: 3,
      crashes: 0,
      address: "127.0.0.1:49153",
    },
    { index: 1, isServing: false, connections: 0, crashes: 1 },
  ]);
});

it("is measured by the original's names; how one has ended only of one that has", async () => {
  const { view, restarts } = openView();
  restarts.note(0, 1);

  const metrics = await readContainerMetrics(new Map([["web", view]]), call);

  const series = Object.fromEntries(metrics.map(({ name, series: each }) => [name, each]));
  const [first, second] = ["web-1-0", "web-1-1"].map((container, place) => ({
    ...{ app: "web", container, replica: String(place) },
  }));
  expect(series["dewy.container.restarts"]).toEqual([
    { labels: first, value: 0 },
    { labels: second, value: 1 },
  ]);
  expect(series["dewy.container.last_terminated.exit_code"]).toEqual([
    { labels: second, value: 137 },
  ]);
  expect(series["dewy.container.oom_killed"]).toEqual([{ labels: second, value: 1 }]);
  expect(series["dewy.container.status"]).toHaveLength(12);
  expect(series["dewy.container.replicas"]).toEqual([{ labels: { app: "web" }, value: 1 }]);
  expect(series["dewy.container.desired_replicas"]).toEqual([{ labels: { app: "web" }, value: 2 }]);
});

it("has those who are told of a deployment know how many serve", () => {
  const { view } = openView();
  const told: unknown[] = [];

  withReplicas(
    view,
    (event) => void told.push(event),
  )({
    ...{ type: "deployed", deployment: {} as never },
  });

  expect(told).toMatchObject([{ replicas: { serving: 1, asked: 2 } }]);
});

function openView(list?: () => Promise<Container[]>) {
  const clock = new FakeClock();
  const restarts = countRestarts(undefined, { clock });
  const loads = new Map([["a", { open: 3, total: 9, failed: 0 }]]);
  const traffic = { serving: new Set(["a"]), loads: async () => loads } as unknown as Traffic;
  let asked = 0;
  const view = openReplicasView(
    { replicas: 2, mappings: [{ port: 80, containerPort: 8080 }] },
    {
      runtime: { name: "docker", variables: {} },
      ...{ traffic, restarts, clock, rollout: () => ({ tag: "v2", ready: 1 }) },
      watch: {
        unwell: (id) => (id === "a" ? { since: new Date(0), reason: "it says 500" } : undefined),
      },
      list: () => {
        asked++;
        return list?.() ?? Promise.resolve([containerOf("b", 1), containerOf("a", 0)]);
      },
    },
  );
  return { view, clock, restarts, asked: () => asked };
}

function containerOf(id: string, index: number): Container {
  return {
    ...{ id, name: `web-1-${index}`, image: "r/app@sha256:1", imageId: "1" },
    ...{ state: index === 0 ? "running" : "exited", exitCode: 137, oomKilled: true },
    ...{ health: undefined, startedAt: new Date(0), restarts: 0, pid: undefined },
    labels: { "dewy.replica": String(index), "dewy.version": "v1" },
    ports: new Map([[8080, { host: "127.0.0.1", port: 49_153 }]]),
    ...{
      ip: undefined,
      gateway: undefined,
      ipv6: undefined,
      gatewayOfIpv6: undefined,
      portsOfIpv6: new Set<number>(),
      networks: new Map(),
    },
  };
}
