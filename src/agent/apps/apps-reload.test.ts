import { describe, expect, it } from "vitest";
import { fakeApp } from "./app-options.fake.ts";
import { type FakeHost, startFakeApps as start } from "./apps.fake.ts";

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

  it("keeps a port open from one app to the next, and only such a one", async () => {
    const host = start([fakeApp("old", { ports: [8000, 8001] }), fakeApp("same", { ports: [80] })]);
    await host.settle();

    host.reload([fakeApp("new", { ports: [8000, 8002] }), fakeApp("same", { ports: [80] })]);
    expect([...host.held]).toEqual([8000]);

    host.reload([fakeApp("same", { ports: [80] })]);
    expect([...host.held]).toEqual([]);
  });

  it.each([
    ["is refused", (host: FakeHost) => host.refused.add("new"), undefined],
    ["fails", () => {}, new Error("a bug")],
  ])("lets nobody wait at a port for an app that %s", async (_what, prepare, error) => {
    const host = start([fakeApp("old", { ports: [8000] }), fakeApp("same")]);
    await host.settle();
    prepare(host);

    host.reload([fakeApp("new", { ports: [8000] }), fakeApp("same")]);
    host.drained("old");
    await host.settle();
    if (error) host.fails("new", error);
    await host.settle();

    expect(host.running()).toEqual(["same"]);
    expect([...host.held]).toEqual([]);
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
