import { describe, expect, it } from "vitest";
import { ConfigError } from "../../base/errors.ts";
import { fakeApp } from "./app-options.fake.ts";
import { startFakeApps as start } from "./apps.fake.ts";

const minuteMs = 60_000;

describe("apps in one process", () => {
  it("run beside each other, and are stopped together", async () => {
    const host = start([fakeApp("web", { drainMs: 1 }), fakeApp("api")]);
    await host.settle();
    expect(host.running()).toEqual(["web", "api"]);

    host.stop.abort(new Error("SIGTERM"));
    await host.settle();
    expect(host.draining()).toEqual(["web", "api"]);

    host.drained("web");
    host.drained("api");
    await host.done;
  });

  it("outlive one of them that keeps failing, which is started later and later", async () => {
    const host = start([fakeApp("web"), fakeApp("api")]);
    await host.settle();

    for (let failure = 0; failure < 5; failure++) {
      host.fails("web", new Error("a bug"));
      await host.settle();
      expect(host.running()).toEqual(["api"]);
      await host.clock.advance(2 ** failure * 1000);
      expect(host.running()).toEqual(["api", "web"]);
    }

    expect(host.started).toEqual(["web", "api", "web", "web", "web", "web", "web"]);
    expect(host.waits()).toEqual(host.waits().toSorted((a, b) => a - b));
    expect(host.waits().at(-1)).toBeGreaterThan(7_000);
  });

  it("start one soon again that was well for long before it failed", async () => {
    const host = start([fakeApp("web")]);
    for (let failure = 0; failure < 8; failure++) {
      await host.settle();
      host.fails("web", new Error("a bug"));
      await host.settle();
      await host.clock.advance(minuteMs);
    }
    await host.clock.advance(20 * minuteMs);
    host.fails("web", new Error("a bug"));
    await host.settle();

    expect(host.waits().at(-1)).toBeLessThanOrEqual(1000);
  });

  it("start one again that ended without saying why", async () => {
    const host = start([fakeApp("web")]);
    await host.settle();

    host.drained("web");
    await host.settle();
    await host.clock.advance(1000);

    expect(host.running()).toEqual(["web"]);
  });

  it("go on without one that is refused, until the next reload", async () => {
    const host = start([fakeApp("web"), fakeApp("api")], ["api"]);
    await host.clock.advance(60 * minuteMs);
    expect(host.running()).toEqual(["web"]);
    expect(host.started).toEqual(["web", "api"]);
    expect(host.logger.messages("error")).toEqual([
      "the app is refused and does not run until the next reload",
    ]);

    host.refused.clear();
    host.reload([fakeApp("web"), fakeApp("api")]);
    await host.settle();

    expect(host.running()).toEqual(["web", "api"]);
    expect(host.started).toEqual(["web", "api", "api"]);
  });

  it("are refused together when every single one is", async () => {
    const host = start([fakeApp("web"), fakeApp("api")], ["web", "api"]);

    await expect(host.done).rejects.toThrow("web: web cannot be meant; api: api cannot be meant");
    await expect(host.done).rejects.toBeInstanceOf(ConfigError);
  });

  it("are not refused for what is wrong only after a reload", async () => {
    const host = start([fakeApp("web")]);
    await host.settle();
    host.refused.add("new");

    host.reload([fakeApp("new")]);
    await host.settle();
    host.drained("web");
    await host.clock.advance(minuteMs);

    expect(host.ended).toBe(false);
  });

  it("start again what has failed later, even where it says that it cannot be meant", async () => {
    const host = start([fakeApp("web")]);
    await host.settle();
    host.fails("web", new Error("a bug"));
    host.refused.add("web");
    await host.clock.advance(1000);
    expect(host.running()).toEqual([]);

    host.refused.clear();
    await host.clock.advance(minuteMs);

    expect(host.running()).toEqual(["web"]);
  });

  it.each([
    ["port", { ports: [8000, 8001] }, { ports: [8001] }, "both serve on port 8001"],
    [
      "place for its releases",
      { directory: "/srv/x" },
      { directory: "/srv/x/releases/y" },
      "cannot lie one inside the files of the other: /srv/x and /srv/x/releases/y",
    ],
    [
      "directory .dewy",
      { directory: "/srv/x/.dewy" },
      { directory: "/srv/x" },
      "cannot lie one inside the files of the other",
    ],
    ["directory", { directory: "/srv/x" }, { directory: "/srv/x" }, "share the directory /srv/x"],
    ["name", {}, { name: "web" }, "have the same name"],
  ])("are refused with the same %s before one has started", async (_what, one, other, message) => {
    const host = start([fakeApp("web", one), fakeApp("api", other)]);

    await expect(host.done).rejects.toThrow(message);
    await expect(host.done).rejects.toThrow(/the apps web and (api|web) /);
    expect(host.started).toEqual([]);
  });
});
