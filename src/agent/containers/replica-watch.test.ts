import { once } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Call } from "../../base/call.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AgentEvent } from "../event.ts";
import { openReplicaWatch } from "./replica-watch.ts";
import type { Container } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

const lookMs = 2_000;
const timeoutMs = 30_000;

describe("the watch of replicas", () => {
  it("takes one that answers badly three times from the traffic, and gives it back when it is well", async () => {
    const { watch, serving, ill, told, look } = watched(["a", "b"]);

    ill.add("a");
    await look(2);
    expect([...serving]).toEqual(["a", "b"]);
    await look(1);
    expect([...serving]).toEqual(["b"]);
    expect(watch.unwell("a")).toMatchObject({ reason: "it says 500" });
    await look(5);
    ill.delete("a");
    await look(1);
    expect([...serving]).toEqual(["b"]);
    await look(1);

    expect([...serving].sort()).toEqual(["a", "b"]);
    expect(watch.unwell("a")).toBeUndefined();
    expect(told).toEqual([
      {
        ...{ type: "replica unwell", replica: "web-a", tag: "v1" },
        ...{ reason: "it says 500", isServing: false },
      },
      { type: "replica well again", replica: "web-a", tag: "v1" },
    ]);
  });

  it("pays no heed to a bad answer or two", async () => {
    const { serving, ill, told, look } = watched(["a", "b"]);

    for (let count = 0; count < 5; count++) {
      ill.add("a");
      await look(2);
      ill.delete("a");
      await look(1);
    }

    expect([...serving]).toEqual(["a", "b"]);
    expect(told).toEqual([]);
  });

  it("takes one from the traffic that does not answer for the time of three questions", async () => {
    const { serving, hang, look } = watched(["a", "b"], { everyMs: 20, timeoutMs: 100 });

    hang.add("a");

    await vi.waitFor(
      async () => {
        await look(1);
        expect([...serving]).toEqual(["b"]);
      },
      { timeout: 10_000 },
    );
  });

  it("counts no answer against one that itself did not hear, as it was paused", async () => {
    const asked = { everyMs: 20, timeoutMs: 1_000 };
    const { watch, serving, hang, logger, look } = watched(["a", "b"], asked);

    hang.add("a");
    await look(1);
    hang.delete("a");
    pauseFor(2_500);

    await vi.waitFor(() => {
      expect(logger.messages("debug")).toEqual([
        "A bad answer does not count: dewy itself was paused",
      ]);
    }, 10_000);
    await look(1);
    expect([...serving]).toEqual(["a", "b"]);
    expect(watch.unwell("a")).toBeUndefined();
  });

  it("excuses a few bad answers in a row, and no more, on a host that pauses all the time", async () => {
    const { serving, ill, logger, pauses, look } = watched(["a", "b"]);

    ill.add("a");
    pauses.add("a");
    await look(6);

    expect(logger.messages("debug")).toHaveLength(3);
    expect([...serving]).toEqual(["b"]);
  }, 60_000);

  it("leaves the traffic to the last one, and to all when all are unwell", async () => {
    const { watch, serving, ill, told, look } = watched(["a", "b", "c"]);

    for (const id of ["a", "b", "c"]) ill.add(id);
    await look(10);
    expect([...serving]).toEqual(["a", "b", "c"]);
    expect(told).toHaveLength(3);
    expect(told).toMatchObject([{ isServing: true }, { isServing: true }, { isServing: true }]);

    ill.delete("c");
    await look(3);
    expect([...serving]).toEqual(["c"]);
    ill.add("c");
    await look(3);
    expect([...serving]).toEqual(["c"]);
    expect(watch.ids.size).toBe(3);
  });

  it("says once that one is unwell for too long", async () => {
    const { watch, ill, overdue, look } = watched(["a", "b"]);

    ill.add("a");
    await look(3 + timeoutMs / lookMs - 1);
    expect(watch.isOverdue("a")).toBe(false);
    await look(5);

    expect(watch.isOverdue("a")).toBe(true);
    expect(overdue()).toBe(1);
  });

  it("heeds what the engine says of the image's own HEALTHCHECK", async () => {
    const { watch, serving, settled, look } = watched(["a", "b"], { asks: false });

    watch.told("a", false);
    await settled();
    expect([...serving]).toEqual(["b"]);
    expect(watch.unwell("a")?.reason).toBe("the image's HEALTHCHECK says unhealthy");
    await look(2);
    watch.told("a", true);
    await settled();

    expect([...serving].sort()).toEqual(["a", "b"]);
  });

  it("tells who withdraws it, and forgets one that is to end", async () => {
    const { watch, ill, withdrawn, told, look } = watched(["a", "b"]);

    ill.add("a");
    ill.add("b");
    watch.end("b");
    await look(5);
    expect(withdrawn).toEqual([]); // the last one
    watch.end("a");
    await look(5);

    expect(told).toHaveLength(1);
  });

  it("tries again what the proxy refused", async () => {
    const { serving, ill, traffic, logger, look } = watched(["a", "b"]);
    const { withdraw } = traffic;
    traffic.withdraw = () => Promise.reject(new Error("no proxy"));

    ill.add("a");
    await look(3);
    expect(logger.messages("error")).toEqual(["The traffic to a replica could not be changed"]);
    traffic.withdraw = withdraw;
    await look(1);

    expect([...serving]).toEqual(["b"]);
  });
});

/** As a SIGSTOP does, or a host that is suspended. */
function pauseFor(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

const usual = { asks: true, everyMs: lookMs, timeoutMs };

function watched(ids: readonly string[], options: Partial<typeof usual> = {}) {
  const { asks, everyMs, timeoutMs: overdueMs } = { ...usual, ...options };
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  const serving = new Set<string>();
  const [ill, hang, pauses] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const told: AgentEvent[] = [];
  const withdrawn: string[] = [];
  let overdue = 0;
  const traffic = {
    serving,
    async withdraw(gone: readonly string[]) {
      for (const id of gone) serving.delete(id);
    },
  } as unknown as Traffic;
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const watch = openReplicaWatch(
    { everyMs, timeoutMs: overdueMs },
    {
      ...{ traffic, clock, logger, observe: (event) => void told.push(event) },
      withdrawn: (id) => void withdrawn.push(id),
      overdue: () => void overdue++,
      behind: (work) => void work.catch((error) => expect(error).toBe(ending.signal.reason)),
    },
    ending,
  );
  for (const id of ids) {
    const admit = async () => void serving.add(id);
    const probe = async (_: unknown, { signal }: Call) => {
      if (hang.has(id)) await once(signal, "abort");
      if (pauses.has(id)) pauseFor(1_500);
      signal.throwIfAborted();
      if (ill.has(id)) throw new Error("it says 500");
    };
    serving.add(id);
    const container = { id, name: `web-${id}` } as Container;
    watch.begin({ container, tag: "v1", probe: asks ? probe : undefined, admit });
  }
  const settled = () => clock.advance(0);
  const look = async (times: number) => {
    for (let count = 0; count < times; count++) await clock.advance(everyMs);
  };
  return {
    ...{ watch, serving, ill, hang, pauses, told, withdrawn, traffic, logger, settled, look },
    overdue: () => overdue,
  };
}
