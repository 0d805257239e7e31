import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import type { Assignments } from "../../base/systemd-notify.ts";
import type { AgentEvent } from "../event.ts";
import { SystemdNotify } from "./systemd.ts";

const polled: AgentEvent = { type: "polled", durationMs: 1, tag: "v1" };
const pollFailed: AgentEvent = { type: "poll failed", error: "x", failures: 1 };
const started: AgentEvent = { type: "app started", reason: "boot", tag: "v1", pid: 1 };

describe("what systemd is told", () => {
  it.each([
    ["the app is in service", started],
    ["the registry has answered", polled],
    ["the registry has failed", pollFailed],
  ])("is READY as soon as %s, once", (_when, event) => {
    const { notify, told } = start();
    const observe = notify.observe({ app: "web", host: "h", mode: "server" });

    observe({ type: "started", version: "1", registry: "r", ports: [] });
    expect(told().filter(({ READY }) => READY)).toEqual([]);
    observe(event);
    observe(event);

    expect(told().filter(({ READY }) => READY)).toHaveLength(1);
  });

  it("is READY when the last of several apps is", () => {
    const { notify, told } = start();
    const web = notify.observe({ app: "web", host: "h", mode: "server" });
    const site = notify.observe({ app: "site", host: "h", mode: "assets" });

    web(started);
    expect(told().some(({ READY }) => READY)).toBe(false);
    site(polled);

    expect(told().some(({ READY }) => READY)).toBe(true);
  });

  it("is one sentence with the tag and the last poll, and no new one for each poll", async () => {
    const { notify, told, clock } = start();
    const observe = notify.observe({ app: "web", host: "h", mode: "server" });
    observe(started);
    observe(polled);
    const count = told().length;

    observe(polled);
    observe(polled);
    expect(told()).toHaveLength(count);
    await clock.advance(10_000);
    expect(told().at(-1)?.STATUS).toBe("web: v1 active, polled 2026-01-01T00:00:00Z");
    observe(pollFailed);

    expect(told().at(-1)?.STATUS).toContain("the registry fails");
  });

  it("knows the files that were there before, and that no app of a process is", () => {
    const { notify, told } = start();
    const before = { version: "1", registry: "r", ports: [], tag: "v1" };

    for (const mode of ["assets", "server"] as const) {
      notify.observe({ app: mode, host: "h", mode })({ type: "started", ...before });
    }

    expect(told().at(-1)?.STATUS).toContain("assets: v1 active");
    expect(told().at(-1)?.STATUS).toContain("server: no release started yet");
  });

  it("waits no longer for an app that is gone", () => {
    const { notify, told } = start();
    const web = notify.observe({ app: "web", host: "h", mode: "server" });
    notify.observe({ app: "gone", host: "h", mode: "server" });

    notify.forget("gone");
    web(started);

    expect(told().some(({ READY }) => READY)).toBe(true);
  });

  it("is WATCHDOG at half of the time, until nothing happens for too long", async () => {
    const { notify, clock, watchdogs } = start();
    const observe = notify.observe({ app: "web", host: "h", mode: "server" });
    observe(started);
    observe(polled);

    for (let tick = 0; tick < 90; tick++) await clock.advance(10_000);
    expect(watchdogs()).toBe(90);
    for (let tick = 0; tick < 10; tick++) await clock.advance(10_000);
    expect(watchdogs()).toBe(90);
    observe(polled);
    await clock.advance(10_000);

    expect(watchdogs()).toBe(91);
  });

  it.each([
    ["the registry asked to be left alone", pollFailed],
    ["a new release may take long to fetch", { ...polled, tag: "v2" }],
  ])("waits an hour longer when %s", async (_why, event) => {
    const { notify, clock, watchdogs } = start();
    const observe = notify.observe({ app: "web", host: "h", mode: "server" });
    observe(started);
    observe(event);

    for (let tick = 0; tick < 460; tick++) await clock.advance(10_000);

    expect(watchdogs()).toBe(450);
  });

  it("is no WATCHDOG when one of several apps is stuck", async () => {
    const { notify, clock, watchdogs } = start();
    const web = notify.observe({ app: "web", host: "h", mode: "server" });
    const site = notify.observe({ app: "site", host: "h", mode: "server" });
    for (const observe of [web, site]) observe(started);
    for (const observe of [web, site]) observe(polled);

    for (let tick = 0; tick < 100; tick++) {
      web(polled);
      await clock.advance(10_000);
    }

    expect(watchdogs()).toBe(90);
  });

  it("asks for more time while it starts, for ten minutes at most, and while it stops", async () => {
    const { notify, clock, told } = start();
    const observe = notify.observe({ app: "web", host: "h", mode: "server" });
    const extensions = () => told().filter((each) => each.EXTEND_TIMEOUT_USEC).length;

    for (let tick = 0; tick < 70; tick++) await clock.advance(10_000);
    expect(extensions()).toBe(60);
    observe(started);
    await clock.advance(10_000);
    expect(extensions()).toBe(60);
    notify.stopping();
    expect(told().at(-1)).toMatchObject({ STOPPING: "1", EXTEND_TIMEOUT_USEC: "30000000" });
    await clock.advance(10_000);

    expect(extensions()).toBe(62);
    expect(told().at(-1)?.WATCHDOG).toBe("1");
  });
});

function start() {
  const clock = new FakeClock();
  const told: Assignments[] = [];
  const notify = new SystemdNotify(
    {
      watchdogMs: 20_000,
      notify: (assignments) => void told.push(assignments),
      settled: async () => {},
    },
    clock,
  );
  onTestFinished(() => notify.close());
  return {
    ...{ clock, notify },
    told: () => told,
    watchdogs: () => told.filter(({ WATCHDOG }) => WATCHDOG).length,
  };
}
