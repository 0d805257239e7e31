import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { openHttpClient } from "../base/http-client.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { runApp } from "./app.ts";
import type { AppOptions } from "./app-options.ts";
import { openCachePool } from "./cache-pool.ts";
import type { AgentEvent } from "./event.ts";
import type { HealthOptions } from "./readiness/health.ts";
import { serveFakeGithub } from "./registries/github.fake.ts";

const app = ["#!/bin/sh", 'env > "env.$SERVER_STARTER_GENERATION"', "exec sleep 600", ""].join(
  "\n",
);

it("places files, starts nothing, and leaves them there when it ends", async () => {
  const host = await openHost({ mode: "assets", command: [] }, { index: "one" });
  host.run();
  await host.serves("v1.0.0");

  host.publish("v1.1.0", { index: "two" });
  await host.serves("v1.1.0");
  await host.stop();

  expect(await readFile(join(host.directory, "current/index"), "utf8")).toBe("two");
  expect(host.events).toContainEqual({
    type: "deployed",
    deployment: expect.objectContaining({ tag: "v1.1.0", previousTag: "v1.0.0" }),
  });
  expect(host.types()).not.toContain("app started");
  expect(host.types().at(-1)).toBe("stopping");
});

it("keeps the files of before when the health command refuses the new ones", async () => {
  const health: HealthOptions = {
    command: 'test "$DEWY_TAG $(cat current/index)" != "v1.1.0 two" || exit 3',
    ...{ status: [], grpc: false, timeoutMs: 500, minimumUptimeMs: 0, bakeMs: 0 },
  };
  const options = { mode: "assets", command: [], health, failureLimit: 1 } as const;
  const host = await openHost(options, { index: "one" });
  host.run();
  await host.serves("v1.0.0");

  host.publish("v1.1.0", { index: "two" });
  await vi.waitFor(() => expect(host.types()).toContain("release quarantined"), 30_000);

  expect(await readFile(join(host.directory, "current/index"), "utf8")).toBe("one");
  expect(host.events).toContainEqual(
    expect.objectContaining({
      ...{ type: "release quarantined", tag: "v1.1.0" },
      reason: "it was not ready within 0.5 s: the health command ended with status 3",
    }),
  );
});

it("leaves one record of a deployment at the registry, however often it starts", async () => {
  const host = await openHost({ mode: "assets", command: [] }, { index: "one" });
  host.run();
  await vi.waitFor(() => expect(host.records()).toHaveLength(1), 5000);
  await host.stop();
  const before = host.types().length;

  host.run();
  await vi.waitFor(() => expect(host.types().slice(before)).toContain("polled"), 5000);
  await host.stop();

  expect(host.records()).toEqual([expect.stringMatching(/^shipped_to_test_assets_at_2/)]);
});

it("lets a web server into the directory it makes, and nobody into what is its own", async () => {
  const parent = await mkdtemp(join(tmpdir(), "dewy-app-"));
  const directory = join(parent, "www");
  const host = await openHost({ mode: "assets", command: [], directory }, { index: "one" });
  host.run();
  await host.serves("v1.0.0");

  const modeOf = async (path: string) => (await stat(join(directory, path))).mode & 0o777;
  const open = 0o777 & ~process.umask();
  expect(await Promise.all(["", "releases", "current", ".dewy"].map(modeOf))).toEqual([
    ...[open, open, open, 0o700],
  ]);
});

it("has nothing to restart where it started nothing", async () => {
  const host = await openHost({ mode: "assets", command: [] }, { index: "one" });
  host.run();
  await host.serves("v1.0.0");

  host.restart();

  await vi.waitFor(() =>
    expect(host.logger.messages("info")).toContain(
      "Nothing to restart: files are served without a process of ours",
    ),
  );
  expect(host.types()).not.toContain("app started");
});

it("restarts the app when it is asked to, however often, from the release it runs", async () => {
  const host = await openHost({}, { app });
  host.run();
  const [first] = await host.starts(1);

  for (let times = 0; times < 5; times++) host.restart();
  const [, second] = await host.starts(2);

  expect([first, second]).toMatchObject([
    { reason: "deploy", tag: "v1.0.0" },
    { reason: "signal", tag: "v1.0.0" },
  ]);
  await vi.waitFor(() => expect(isRunning(first?.pid)).toBe(false), 5000);
  expect(isRunning(second?.pid)).toBe(true);
  expect(await readdir(join(host.directory, "releases"))).toHaveLength(1);
});

it.each([
  [true, undefined],
  [false, "s3cret"],
])(
  "starts the app with the agent's secrets only if they are not to be scrubbed: %s",
  async (scrubEnvironment, token) => {
    const host = await openHost({ scrubEnvironment, beforeDeployHook: "env > env.hook" }, { app });
    host.run();
    await host.starts(1);

    for (const file of ["env.1", "env.hook"]) {
      const lines = (await readFile(join(host.directory, file), "utf8")).split("\n");
      expect(lines).toContain("DEWY_APP=web");
      expect(lines.includes(`GITHUB_TOKEN=${token}`)).toBe(token !== undefined);
    }
  },
);

async function openHost(changes: Partial<AppOptions>, files: Readonly<Record<string, string>>) {
  const github = await serveFakeGithub();
  github.publish("v1.0.0", files);
  const directory = await mkdtemp(join(tmpdir(), "dewy-app-"));
  const environment = {
    ...{ PATH: process.env.PATH, GITHUB_API_URL: github.api, GITHUB_TOKEN: github.token },
  };
  let stop = new AbortController();
  const logger = new FakeLogger();
  const events: AgentEvent[] = [];
  const http = openHttpClient({ userAgent: "dewy/test", environment });
  const caches = openCachePool({ http, clock: systemClock, environment });
  const listeners = new Set<() => void>();
  let running: Promise<unknown> = Promise.resolve();
  const [artifact = ""] = Object.keys(files);
  const options: AppOptions = {
    name: "web",
    mode: "server",
    registry: `ghr://acme/app?artifact=${artifact}`,
    ports: [],
    command: ["current/app"],
    directory,
    intervalMs: 50,
    drainMs: 1000,
    handover: false,
    cache: undefined,
    notifiers: [],
    scrubEnvironment: false,
    failureLimit: 3,
    environment,
    userAgent: "dewy/test",
    ...changes,
  };
  const host = {
    directory,
    logger,
    events,
    publish: github.publish,
    types: () => events.map(({ type }) => type),
    restart: () => listeners.forEach((listener) => void listener()),
    records: () =>
      github.releases
        .flatMap(({ assets }) => assets.map(({ name }) => name))
        .filter((name) => name.startsWith("shipped_to_")),
    run() {
      stop = new AbortController();
      running = runApp(
        options,
        {
          ...{ clock: systemClock, logger, http, caches, version: "test", host: "test" },
          observe: (event) => events.push(event),
          isLast: () => true,
          onRestart: (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
        },
        stop,
      ).catch(() => {});
    },
    serves: (tag: string) =>
      vi.waitFor(() => {
        const last = events.findLast(({ type }) => type === "deployed");
        expect(last).toMatchObject({ deployment: { tag } });
      }, 10_000),
    starts: (count: number) =>
      vi.waitFor(() => {
        const started = events.filter((event) => event.type === "app started");
        expect(started).toHaveLength(count);
        return started;
      }, 10_000),
    async stop() {
      stop.abort(new Error("told to stop"));
      await running;
      http.close();
    },
  };
  onTestFinished(host.stop);
  return host;
}

function isRunning(pid = 0): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
