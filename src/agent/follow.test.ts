import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import type { Choice } from "./choose/choose.ts";
import { HookError } from "./deploy/hook.ts";
import type { AgentEvent } from "./event.ts";
import { follow } from "./follow.ts";
import { commitRelease } from "./ledger/attempt.ts";
import { pauseDeployments, releaseHolds, resumeDeployments } from "./ledger/holds.ts";
import { fakeLedger } from "./ledger/ledger.fake.ts";
import { ReleaseRegistryError } from "./release.ts";

it("deploys a release once, and again when it changes", async () => {
  const agent = start("v1.0.0");
  await agent.polls(3);
  expect(agent.deployed).toEqual(["v1.0.0"]);

  agent.newest = choiceOf("v1.1.0");
  await agent.polls(2);
  expect(agent.deployed).toEqual(["v1.0.0", "v1.1.0"]);
});

it("notices a tag that was published again with other bytes", async () => {
  const agent = start("v1.0.0");
  await agent.polls(1);

  agent.newest = choiceOf("v1.0.0", "sha256:other");
  await agent.polls(1);

  expect(agent.deployed).toEqual(["v1.0.0", "v1.0.0"]);
});

it("remembers a failed deployment as failed, and waits before it tries again", async () => {
  const agent = start("v1.0.0");
  agent.failure = new Error("disk full");
  await agent.polls(1);
  expect(agent.ledger.state).toMatchObject({
    desired: { tag: "v1.0.0" },
    attempt: { tag: "v1.0.0", failures: 1, error: "disk full" },
  });
  expect(agent.ledger.state.active).toBeUndefined();
  expect(agent.logger.messages("error")).toEqual(["Dewy run failure"]);

  await agent.clock.advance(1100);
  expect(agent.tried).toBe(1);

  agent.failure = undefined;
  await agent.clock.advance(20_000);
  await agent.clock.advance(20_000);
  expect(agent.deployed).toEqual(["v1.0.0"]);
});

it("does not let a release that failed hold up a newer one", async () => {
  const agent = start("v1.0.0");
  agent.failure = new Error("broken");
  await agent.polls(1);

  agent.failure = undefined;
  agent.newest = choiceOf("v1.0.1");
  await agent.polls(1);

  expect(agent.deployed).toEqual(["v1.0.1"]);
});

it("tries a release that fails by its own fault three times, and then never again", async () => {
  const agent = start("v1.0.0");
  await agent.polls(1);
  agent.newest = choiceOf("v2.0.0");
  const failure = new HookError("HOOK_FAILED", "the hook ended with status 1");
  agent.failure = Object.assign(failure, { logTail: ["no such table"] });
  for (let poll = 0; poll < 100; poll++) await agent.clock.advance(10_000);

  expect(agent.tried).toBe(1 + 3);
  expect(agent.ledger.state.quarantined).toMatchObject([
    { tag: "v2.0.0", failures: 3, reason: "the hook ended with status 1" },
  ]);
  expect(agent.ledger.state.quarantined?.[0]?.logTail).toEqual(["no such table"]);
  const told = agent.events.filter(({ type }) => type === "release quarantined");
  expect(told).toMatchObject([{ tag: "v2.0.0", failures: 3 }]);

  agent.failure = undefined;
  await agent.ledger.update((state) => releaseHolds(state, "v2.0.0"));
  await agent.polls(1);
  expect(agent.deployed).toEqual(["v1.0.0", "v2.0.0"]);
});

it("tries for ever what fails by the fault of the world", async () => {
  const agent = start("v1.0.0");
  agent.failure = new ReleaseRegistryError("UNAVAILABLE", "no answer");
  for (let hour = 0; hour < 10; hour++) await agent.clock.advance(3_600_000);

  expect(agent.tried).toBeGreaterThanOrEqual(10);
});

it("looks, and deploys nothing, while deployments are paused", async () => {
  const agent = start("v1.0.0");
  const decision = { by: "alice", at: agent.clock.now().toISOString() };
  await agent.ledger.update((state) => pauseDeployments(state, decision));
  await agent.polls(3);
  expect(agent.deployed).toEqual([]);
  expect(agent.order.filter((step) => step === "choose")).toHaveLength(3);

  await agent.ledger.update(resumeDeployments);
  await agent.polls(1);
  expect(agent.deployed).toHaveLength(1);
});

it("says once that the ledger cannot be written, and again when that is new", async () => {
  const agent = start("v1.0.0");
  const { update } = agent.ledger;
  agent.ledger.update = () => Promise.reject(new Error("no space left on device"));
  await agent.polls(3);
  expect(agent.logger.messages("error")).toEqual(["the ledger could not be written"]);
  agent.ledger.update = update;
  await agent.polls(1);
  expect(agent.deployed).toEqual(["v1.0.0"]);

  agent.newest = choiceOf("v1.1.0");
  agent.ledger.update = () => Promise.reject(new Error("no space left on device"));
  await agent.polls(2);

  expect(agent.logger.messages("error")).toHaveLength(2);
});

it("outlives a registry that is down, says so once, and says when it is back", async () => {
  const agent = start("v1.0.0");
  agent.registryFailure = new ReleaseRegistryError("UNAVAILABLE", "no answer");
  await agent.polls(5);
  expect(agent.logger.messages("error")).toEqual(["Current failure"]);

  agent.registryFailure = undefined;
  await agent.clock.advance(300_000);

  expect(agent.logger.messages("info")).toContain("Current recovered");
  expect(agent.deployed).toEqual(["v1.0.0"]);
});

it.each([
  ["as long as the registry asked", 900_000, 900_000],
  ["an hour at the most", 1e15, 3_600_000],
])("stays away for %s", async (_what, retryAfterMs, awayMs) => {
  const agent = start("v1.0.0");
  agent.registryFailure = rateLimit(retryAfterMs);
  await agent.polls(1);
  agent.registryFailure = undefined;

  await agent.clock.advance(awayMs - 10_000);
  expect(agent.deployed).toEqual([]);

  await agent.clock.advance(20_000);
  expect(agent.deployed).toEqual(["v1.0.0"]);
});

it("tries a deployment again no sooner than the registry asked", async () => {
  const agent = start("v1.0.0");
  agent.failure = rateLimit(900_000);
  await agent.polls(1);
  const { retryAt = "" } = agent.ledger.state.attempt ?? {};

  expect(Date.parse(retryAt) - agent.clock.now().getTime()).toBeGreaterThan(890_000);
});

it("comes back before long, whatever the registry asked", async () => {
  const agent = start("v1.0.0");
  agent.registryFailure = rateLimit(99_999_999_000);
  await agent.polls(1);
  agent.registryFailure = undefined;

  await agent.clock.advance(2 * 3_600_000);

  expect(agent.deployed).toEqual(["v1.0.0"]);
});

it("starts what should run before it asks the registry", async () => {
  const agent = start("v1.0.0");
  await agent.polls(1);

  expect(agent.order.slice(0, 2)).toEqual(["keep running", "choose"]);
});

it("tells of failures as they come, and once when all is well again", async () => {
  const agent = start("v1.0.0");
  agent.registryFailure = new ReleaseRegistryError("UNAVAILABLE", "no answer");
  await agent.polls(1);
  agent.registryFailure = undefined;
  agent.failure = new Error("broken");
  await agent.clock.advance(10_000);
  const told = () => agent.events.map(({ type }) => type).filter((type) => type !== "polled");
  expect(told()).toEqual(["poll failed"]);

  agent.failure = undefined;
  await agent.clock.advance(60_000);

  expect(agent.deployed).toEqual(["v1.0.0"]);
  expect(told()).toEqual(["poll failed", "recovered"]);
  expect(agent.events).toContainEqual(expect.objectContaining({ type: "polled", tag: "v1.0.0" }));
});

it("deploys from old answers, and counts them as failures until there are new ones", async () => {
  const agent = start("v1.0.0");
  agent.outage = new ReleaseRegistryError("UNAVAILABLE", "no answer");
  await agent.polls(2);
  const told = () => agent.events.map(({ type }) => type);

  expect(agent.deployed).toEqual(["v1.0.0"]);
  expect(told()).toEqual(["poll failed", "poll failed"]);

  agent.outage = undefined;
  await agent.polls(1);

  expect(told()).toEqual(["poll failed", "poll failed", "polled", "recovered"]);
});

it("stops at once when told to", async () => {
  const agent = start("v1.0.0");
  await agent.polls(1);

  agent.stop.abort();

  await expect(agent.done).rejects.toBe(agent.stop.signal.reason);
});

/** An agent on a fake clock, polling every second. */
function start(tag: string) {
  const stop = new AbortController();
  const agent = {
    newest: choiceOf(tag),
    failure: undefined as Error | undefined,
    registryFailure: undefined as Error | undefined,
    outage: undefined as Error | undefined,
    deployed: [] as string[],
    tried: 0,
    order: [] as string[],
    events: [] as AgentEvent[],
    clock: new FakeClock(),
    logger: new FakeLogger(),
    ledger: fakeLedger(),
    stop,
    done: undefined as Promise<never> | undefined,
    async polls(count: number): Promise<void> {
      for (let poll = 0; poll < count; poll++) await agent.clock.advance(1100);
    },
  };
  agent.done = follow(
    {
      async choose() {
        agent.order.push("choose");
        if (agent.registryFailure) throw agent.registryFailure;
        return agent.newest;
      },
      async deploy({ tag, artifact }) {
        agent.tried++;
        if (agent.failure) throw agent.failure;
        agent.deployed.push(tag);
        const release = {
          tag,
          identity: artifact.identity,
          digest: digestOf(tag),
          artifact: artifact.name,
          directory: "/releases/1",
          since: "2026-01-01T00:00:00.000Z",
        };
        await agent.ledger.update((state) => commitRelease(state, release));
      },
      async keepRunning() {
        agent.order.push("keep running");
      },
      ledger: agent.ledger,
      outage: () => agent.outage,
      clock: agent.clock,
      observe: (event) => agent.events.push(event),
      logger: agent.logger,
      intervalMs: 1000,
    },
    { signal: stop.signal },
  );
  agent.done.catch(() => {});
  onTestFinished(() => stop.abort());
  return agent;
}

function rateLimit(retryAfterMs: number): ReleaseRegistryError {
  const error = new ReleaseRegistryError("RATE_LIMITED", "too many requests");
  error.retryAfterMs = retryAfterMs;
  return error;
}

function choiceOf(tag: string, identity = "sha256:1"): Choice {
  const artifact = {
    name: "app.tar.gz",
    platform: undefined,
    sizeBytes: 1,
    digest: undefined,
    identity,
    url: "http://registry/app.tar.gz",
  };
  const release = { tag, artifacts: [artifact], publishedAt: undefined };
  return { tag, release, artifact, passedOver: [] } as unknown as Choice;
}
