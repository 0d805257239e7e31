import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { DataPlane, Route } from "../proxy/data-plane.ts";
import { type FleetOptions, type FleetParts, openFleet } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import {
  type Container,
  ContainerError,
  type ContainerRuntime,
  type RunSpecification,
} from "./runtime.ts";
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
    hint: "look at what it wrote, by dewy status",
  });

  expect(declared()).toEqual([1, 0]);
  expect([...traffic.serving]).toEqual([]);
  expect([...watched]).toEqual([]);
  expect(runtime.removed).toEqual(["1"]);
});

it.each([
  {
    what: "has written nothing",
    logTail: async () => [],
    hint: /^it wrote nothing: .*, by docker run --rm r\/app@sha256:2$/,
  },
  {
    what: "cannot be asked what it wrote",
    logTail: () => Promise.reject(new ContainerError("UNAVAILABLE", "gone")),
    hint: /dewy status/,
  },
])("says what to do about one that $what", async ({ logTail, hint }) => {
  const { fleet, runtime } = fleetOf({ endsAfterDeclarations: 1 });
  runtime.logTail = logTail;

  await expect(fleet.bringUp(image, 0, call)).rejects.toMatchObject({
    logTail: [],
    hint: expect.stringMatching(hint),
  });
});

it("counts one that goes on", async () => {
  const { fleet, traffic, watched } = fleetOf({ endsAfterDeclarations: 2 });

  await fleet.bringUp(image, 0, call);

  expect([...traffic.serving]).toEqual(["1"]);
  expect([...watched]).toEqual(["1"]);
});

it("counts one that the engine cannot be asked about any more", async () => {
  const { fleet, traffic, watched, runtime } = fleetOf({ endsAfterDeclarations: 2 });
  const { inspect } = runtime;
  let asked = 0;
  runtime.inspect = async (id, each) => {
    if (asked++ > 0 && traffic.serving.has("1")) throw new ContainerError("UNAVAILABLE", "gone");
    return inspect(id, each);
  };

  await fleet.bringUp(image, 0, call);

  expect([...traffic.serving]).toEqual(["1"]);
  expect([...watched]).toEqual(["1"]);
});

describe("one that was told to end", () => {
  it("is noted before it is told, and until it is gone", async () => {
    const { fleet, runtime, dismissed } = fleetOf();
    const container = await fleet.bringUp(image, 0, call);
    runtime.stop = async () => expect([...dismissed]).toEqual(["1"]);

    await fleet.retire(container, call);
    expect([...dismissed]).toEqual(["1"]);
    await fleet.remove(container, call);

    expect([...dismissed]).toEqual([]);
  });

  it("has ended before it is started again, though nobody waits for the first word", async () => {
    const { fleet, runtime, dismissed, traffic } = fleetOf();
    const container = await fleet.bringUp(image, 0, call);
    const brokenOff = new AbortController();
    runtime.stop = async () => brokenOff.abort();
    await fleet.retire(container, brokenOff).catch(() => {});
    const told: string[] = [];
    runtime.stop = async () => {
      told.push("stop");
      runtime.isRunning = false;
    };
    runtime.start = async () => {
      told.push(`start, dismissed: ${[...dismissed]}`);
      runtime.isRunning = true;
    };

    await fleet.revive(container, image, call);

    expect(told).toEqual(["stop", "start, dismissed: "]);
    expect([...traffic.serving]).toEqual(["1"]);
  });
});

function fleetOf({ endsAfterDeclarations = Number.POSITIVE_INFINITY } = {}) {
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  const runtime = runtimeOf();
  const declarations: number[] = [];
  const watched = new Set<string>();
  const plane = {
    ...{ name: "built-in", reach: "published" },
    async declare(routes: readonly Route[]) {
      declarations.push(routes.length);
      if (declarations.length >= endsAfterDeclarations) runtime.isRunning = false;
    },
    loads: async () => new Map(),
    cut: async () => 0,
  } as unknown as DataPlane;
  const traffic = openTraffic(plane, { clock, logger });
  const watch = {
    begin: ({ container }: { container: Container }) => void watched.add(container.id),
    end: (id: string) => void watched.delete(id),
  };
  const dismissed = new Set<string>();
  const dismissals = {
    has: (id: string) => dismissed.has(id),
    note: async (id: string) => void dismissed.add(id),
    forget: async (id: string) => void dismissed.delete(id),
  };
  const observe = () => {};
  const parts = { runtime, plane, traffic, watch, dismissals, clock, logger, observe };
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
    ...{ runtime, traffic, watched, dismissed, declared: () => declarations },
    fleet: openFleet(options as unknown as FleetOptions, parts as unknown as FleetParts),
  };
}

function runtimeOf() {
  const removed: string[] = [];
  const runtime = {
    ...{ name: "docker", isRunning: true, removed, labels: {} },
    async run({ labels }: RunSpecification) {
      runtime.labels = labels;
      return "1";
    },
    image: async () => ({ id: "2", exposed: [], hasHealthcheck: false }),
    inspect: async () =>
      ({
        ...{ id: "1", name: "web-1", image: "r/app@sha256:2", labels: runtime.labels, exitCode: 1 },
        state: runtime.isRunning ? "running" : "exited",
        ports: new Map([[8080, { host: "127.0.0.1", port: 40_000 }]]),
      }) as unknown as Container,
    logTail: async () => ["out of luck"],
    stop: async () => {},
    remove: async (id: string) => void removed.push(id),
  };
  return runtime as unknown as Pick<typeof runtime, "isRunning" | "removed"> & ContainerRuntime;
}
