import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { ConfigError } from "../../base/errors.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AppOptions } from "../app-options.ts";
import { fakeApp } from "./app-options.fake.ts";
import { runApps } from "./apps.ts";

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
    expect(host.logger.messages("error")).toEqual(["the app is refused and does not run"]);

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
    ["directory", { directory: "/srv/x" }, { directory: "/srv/x" }, "share the directory /srv/x"],
    ["name", {}, { name: "web" }, "have the same name"],
  ])("are refused with the same %s before one has started", async (_what, one, other, message) => {
    const host = start([fakeApp("web", one), fakeApp("api", other)]);

    await expect(host.done).rejects.toThrow(message);
    await expect(host.done).rejects.toThrow(/the apps web and (api|web) /);
    expect(host.started).toEqual([]);
  });
});

describe("a reload", () => {
  it("does not touch what has not changed, and starts, stops and replaces the rest", async () => {
    const host = start([fakeApp("same"), fakeApp("changed"), fakeApp("gone")]);
    await host.settle();

    host.reload([fakeApp("same"), fakeApp("changed", { intervalMs: 1000 }), fakeApp("new")]);
    await host.settle();
    expect(host.started).toEqual(["same", "changed", "gone", "new"]);
    expect(host.draining()).toEqual(["changed", "gone"]);

    host.drained("changed");
    await host.settle();
    expect(host.running()).toEqual(["same", "new", "changed"]);
    expect(host.running("changed")?.intervalMs).toBe(1000);
    expect(host.logger.lines.find(({ level }) => level === "info")?.fields).toEqual({
      started: ["changed", "new"],
      stopped: ["gone"],
      untouched: ["same"],
    });
  });

  it("lets an app that waits for another's port begin when that one has drained", async () => {
    const host = start([fakeApp("old", { ports: [8000] })]);
    await host.settle();

    host.reload([fakeApp("new", { ports: [8000] })]);
    await host.settle();
    expect(host.running()).toEqual([]);

    host.drained("old");
    await host.settle();
    expect(host.running()).toEqual(["new"]);
  });

  it("changes its mind while an app still drains, and never runs two of it", async () => {
    const host = start([fakeApp("web", { ports: [8000] })]);
    await host.settle();

    host.reload([fakeApp("web", { ports: [8001] })]);
    host.reload([fakeApp("web", { ports: [8002] })]);
    await host.settle();
    expect(host.running()).toEqual([]);
    host.drained("web");
    await host.settle();

    expect(host.started).toEqual(["web", "web"]);
    expect(host.running("web")?.ports).toEqual([8002]);
  });

  it("is refused as a whole when two apps get in each other's way", async () => {
    const host = start([fakeApp("web", { ports: [8000] })]);
    await host.settle();

    host.reload([fakeApp("web", { ports: [8001] }), fakeApp("api", { ports: [8001] })]);
    await host.settle();

    expect(host.running("web")?.ports).toEqual([8000]);
    expect(host.started).toEqual(["web"]);
    expect(host.logger.messages("error")).toEqual([
      "the new configuration is refused; everything goes on as it was",
    ]);
  });

  it("leaves an app as it was when its new options are refused", async () => {
    const host = start([fakeApp("web", { registry: "ghr://a/good" })]);
    await host.settle();
    host.refused.add("ghr://a/bad");

    host.reload([fakeApp("web", { registry: "ghr://a/bad" })]);
    host.drained("web");
    await host.settle();
    expect(host.running("web")?.registry).toBe("ghr://a/good");

    host.reload([fakeApp("web", { registry: "ghr://a/bad" }), fakeApp("api")]);
    await host.settle();
    expect(host.running()).toEqual(["web", "api"]);
    expect(host.draining()).toEqual([]);
  });

  it("does not go back to a port that another app has now", async () => {
    const host = start([fakeApp("web", { ports: [8000] })]);
    await host.settle();
    host.refused.add("ghr://a/bad");

    host.reload([
      fakeApp("web", { ports: [8001], registry: "ghr://a/bad" }),
      fakeApp("api", { ports: [8000] }),
    ]);
    host.drained("web");
    await host.settle();

    expect(host.running()).toEqual(["api"]);
  });

  it("is not waited for when everything is to stop", async () => {
    const host = start([fakeApp("web")]);
    await host.settle();
    host.reload([fakeApp("web", { intervalMs: 1000 })]);

    host.stop.abort(new Error("SIGTERM"));
    host.drained("web");
    await host.done;

    expect(host.started).toEqual(["web"]);
  });
});

interface Run {
  app: AppOptions;
  stopping: boolean;
  end(error?: Error): void;
}

/** Apps that run until they are told to, and drain until the test says that they have. */
function start(initial: readonly AppOptions[], refused: readonly string[] = []) {
  const runs = new Set<Run>();
  let listener = (_apps: readonly AppOptions[]) => {};
  const host = {
    clock: new FakeClock(),
    logger: new FakeLogger(),
    stop: new AbortController(),
    started: [] as string[],
    /** Names and registries that cannot be meant. */
    refused: new Set(refused),
    ended: false,
    done: Promise.resolve(),
    reload: (apps: readonly AppOptions[]) => listener(apps),
    settle: () => host.clock.advance(0),
    running: named(false),
    draining: () => [...runs].filter(({ stopping }) => stopping).map(({ app }) => app.name),
    drained: (name: string) => runOf(name).end(),
    fails: (name: string, error: Error) => runOf(name).end(error),
    waits: () => host.logger.lines.flatMap(({ fields }) => fields.waitMs ?? []).map(Number),
  };
  host.done = runApps(
    initial,
    {
      async run(app, { signal }) {
        host.started.push(app.name);
        if (host.refused.has(app.name) || host.refused.has(app.registry)) {
          throw new ConfigError(`${app.name} cannot be meant`);
        }
        await new Promise<void>((resolve, reject) => {
          const run: Run = {
            app,
            stopping: false,
            end(error) {
              runs.delete(run);
              if (error) reject(error);
              else resolve();
            },
          };
          runs.add(run);
          signal.addEventListener("abort", () => {
            run.stopping = true;
          });
        });
        signal.throwIfAborted();
      },
      clock: host.clock,
      logger: host.logger,
      onReload(given) {
        listener = given;
        return () => {
          listener = () => {};
        };
      },
    },
    { signal: host.stop.signal },
  ).finally(() => {
    host.ended = true;
  });
  host.done.catch(() => {});
  onTestFinished(() => {
    host.stop.abort(new Error("the test is over"));
    for (const run of runs) run.end();
  });
  return host;

  function named(stopping: boolean) {
    function running(): string[];
    function running(name: string): AppOptions | undefined;
    function running(name?: string) {
      const apps = [...runs].filter((run) => run.stopping === stopping).map(({ app }) => app);
      return name === undefined
        ? apps.map((app) => app.name)
        : apps.find((app) => app.name === name);
    }
    return running;
  }

  function runOf(name: string): Run {
    const run = [...runs].find(({ app }) => app.name === name);
    if (!run) throw new Error(`${name} does not run`);
    return run;
  }
}
