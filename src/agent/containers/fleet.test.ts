import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { DataPlane, Route } from "../proxy/data-plane.ts";
import { type FleetOptions, type FleetParts, openFleet } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import type { Container, ContainerRuntime, RunSpecification } from "./runtime.ts";
import { openTraffic } from "./traffic.ts";

const call = { signal: new AbortController().signal };
const image = {
  ...{ tag: "v2", reference: "r/app@sha256:2", digest: "sha256:2" },
} as unknown as ReleaseImage;

it("does not count one that ends while it is let into the traffic", async () => {
  const { fleet, traffic, watched, runtime, declared } = fleetOf({ endsAfterDeclarations: 1 });

  await expect(fleet.bringUp(image, 0, call)).rejects.toMatchObject({
    code: "NOT_STARTED",
    logTail: ["out of luck"],
  });

  expect(declared()).toEqual([1, 0]);
  expect([...traffic.serving]).toEqual([]);
  expect(watched).toEqual([]);
  expect(runtime.removed).toEqual(["1"]);
});

it("counts one that goes on", async () => {
  const { fleet, traffic, watched } = fleetOf({ endsAfterDeclarations: 2 });

  await fleet.bringUp(image, 0, call);

  expect([...traffic.serving]).toEqual(["1"]);
  expect(watched).toEqual(["1"]);
});

function fleetOf({ endsAfterDeclarations }: { endsAfterDeclarations: number }) {
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  const runtime = runtimeOf();
  const declarations: number[] = [];
  const watched: string[] = [];
  const plane = {
    ...{ name: "built-in", reach: "published" },
    async declare(routes: readonly Route[]) {
      declarations.push(routes.length);
      if (declarations.length >= endsAfterDeclarations) runtime.isRunning = false;
    },
  } as unknown as DataPlane;
  const traffic = openTraffic(plane, { clock, logger });
  const watch = {
    begin: ({ container }: { container: Container }) => void watched.push(container.id),
    end: () => {},
  };
  const parts = { runtime, plane, traffic, watch, clock, logger, observe: () => {} };
  const options = {
    app: { name: "web", directory: tmpdir() },
    container: {
      ...{ baseName: "web", replicas: 1, command: [], runOptions: [] },
      mappings: [{ port: 80, containerPort: 8080 }],
    },
    health: { minimumUptimeMs: 0, timeoutMs: 1_000, command: "true" },
    ...{ drainMs: 0, environment: {} },
  };
  return {
    ...{ runtime, traffic, watched, declared: () => declarations },
    fleet: openFleet(options as unknown as FleetOptions, parts as unknown as FleetParts),
  };
}

function runtimeOf() {
  const removed: string[] = [];
  const runtime = {
    ...{ isRunning: true, removed, labels: {} },
    async run({ labels }: RunSpecification) {
      runtime.labels = labels;
      return "1";
    },
    image: async () => ({ id: "2", exposed: [], hasHealthcheck: false }),
    inspect: async () =>
      ({
        ...{ id: "1", name: "web-1", labels: runtime.labels, exitCode: 1 },
        state: runtime.isRunning ? "running" : "exited",
        ports: new Map([[8080, { host: "127.0.0.1", port: 40_000 }]]),
      }) as unknown as Container,
    logTail: async () => ["out of luck"],
    stop: async () => {},
    remove: async (id: string) => void removed.push(id),
  };
  return runtime as typeof runtime & ContainerRuntime;
}
