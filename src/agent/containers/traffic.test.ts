import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { DataPlane, Route } from "../proxy/data-plane.ts";
import { labelKeys } from "./replica.ts";
import { openReplicaWatch } from "./replica-watch.ts";
import type { Container } from "./runtime.ts";
import { openTraffic } from "./traffic.ts";

const call = { signal: new AbortController().signal };
const ports = [{ port: 80, containerPort: 8080 }];
const lookMs = 1_000;

it("says again who has the traffic, when it was not heard", async () => {
  const { traffic, plane, carried } = await carrying(["a", "b"]);
  plane.declare = refusing;

  await expect(traffic.withdraw(["a"], call)).rejects.toThrow("no proxy");
  expect(carried()).toEqual(["a", "b"]);
  plane.declare = plane.listening;
  await traffic.withdraw([], call);

  expect(carried()).toEqual(["b"]);
});

it("takes one back that it could not admit, when somebody looks after it", async () => {
  const { traffic, plane, carried } = await carrying(["a"]);
  plane.declare = async (routes, each) => {
    await plane.listening(routes, each);
    throw new Error("no answer");
  };

  await expect(traffic.admit([containerOf("b")], ports, call)).rejects.toThrow("no answer");
  expect(carried()).toEqual(["a", "b"]);
  plane.declare = plane.listening;
  await traffic.withdraw(["b"], call);

  expect(carried()).toEqual(["a"]);
});

it("is changed for one that is unwell even when whoever hears of it ends its watch", async () => {
  const { traffic, carried, clock, logger } = await carrying(["a", "b"]);
  const ending = new AbortController();
  const watch = openReplicaWatch(
    { everyMs: lookMs, timeoutMs: 30_000 },
    {
      ...{ traffic, clock, logger, observe: () => {}, overdue: () => {} },
      withdrawn: (id) => watch.end(id),
      behind: (work) => void work.catch(() => {}),
    },
    ending,
  );
  for (const id of ["a", "b"]) {
    const probe = async () => {
      if (id === "a") throw new Error("it says 500");
    };
    watch.begin({ container: containerOf(id), tag: "v1", probe, admit: async () => {} });
  }

  for (let count = 0; count < 3; count++) await clock.advance(lookMs);
  ending.abort();

  expect(carried()).toEqual(["b"]);
});

it("drains one for as long as it may, where nobody can count its connections", async () => {
  const { traffic, plane, clock } = await carrying(["a"]);
  let looks = 0;
  plane.loads = async () => {
    if (++looks < 3) throw new Error("no proxy");
    return new Map([["a", { open: looks < 5 ? 1 : 0, total: 1, failed: 0 }]]);
  };

  const drained = traffic.drain("a", 30_000, call);
  while (looks < 5) await clock.advance(100);

  expect(await drained).toBe(0);
});

async function carrying(ids: readonly string[]) {
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  let carried: readonly Route[] = [];
  const listening: DataPlane["declare"] = async (routes, { signal }) => {
    await null; // as everybody who speaks to somebody else
    signal.throwIfAborted();
    carried = routes;
  };
  const plane = {
    ...{ name: "built-in", reach: "published", listening, declare: listening },
    loads: async () => new Map(),
  } as unknown as DataPlane & { listening: DataPlane["declare"] };
  const traffic = openTraffic(plane, { clock, logger });
  await traffic.admit(ids.map(containerOf), ports, call);
  return {
    ...{ traffic, plane, clock, logger },
    carried: () => carried.flatMap(({ backends }) => backends.map(({ id }) => id)),
  };
}

async function refusing(): Promise<void> {
  throw new Error("no proxy");
}

function containerOf(id: string): Container {
  return {
    ...{ id, name: id, labels: { [labelKeys.replica]: "0" } },
    ports: new Map([[8080, { host: "127.0.0.1", port: 40_000 }]]),
  } as unknown as Container;
}
