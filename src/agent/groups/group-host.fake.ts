import { mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openAgent } from "../agent.ts";
import type { AppOptions } from "../app-options.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { serveFakeGithub } from "../registries/github.fake.ts";

/** Runs until `crash` is in the app's directory. */
export const well = "while [ ! -e crash ]; do sleep 0.05; done; exit 1";
export const broken = "exit 3";

/** Where the three apps of a group are, each with a fake GitHub of its own. */
export async function openGroupHost(changed: Partial<AppOptions> = {}) {
  const root = await mkdtemp(join(tmpdir(), "dewy-group-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const names = ["database", "api", "web"] as const;
  const githubs = await Promise.all(names.map(() => serveFakeGithub()));
  const apps = names.map((name, place) =>
    appOf(name, join(root, name), {
      environment: {
        ...{ PATH: process.env.PATH, GITHUB_API_URL: githubs[place]?.api },
        GITHUB_TOKEN: githubs[place]?.token,
      },
      group: { name: "shop", apps: names },
      ...changed,
    }),
  );

  const host = {
    ...{ root, apps, logger: new FakeLogger() },
    directoryOf: (name: string) => join(root, name),
    publish(tag: string, bodies: Partial<Record<(typeof names)[number], string>>) {
      for (const [place, name] of names.entries()) {
        const body = bodies[name];
        if (body === undefined) continue;
        githubs[place]?.publish(tag, { app: `#!/bin/sh\n# ${name} ${tag}\n${body}\n` });
      }
    },
    /** What is served of the newest release is not what was announced. */
    tamper(name: string) {
      const place = apps.findIndex((app) => app.name === name);
      const [asset] = githubs[place]?.releases[0]?.assets ?? [];
      if (asset) asset.served = asset.content.replace("#", "%");
    },
    /** From now on no registry answers. */
    cutOff() {
      const refuse = { status: 503, headers: {}, message: "down" };
      for (const github of githubs) github.refuse = refuse;
    },
    bringBack() {
      for (const github of githubs) github.refuse = undefined;
    },
    ledger: async (name: string): Promise<Partial<LedgerState>> =>
      JSON.parse(
        await readFile(join(root, name, ".dewy/ledger.json"), "utf8").catch(() => "{}"),
      ) as LedgerState,
    /** What each of them runs, by its ledger. */
    active: () => Promise.all(names.map(async (name) => (await host.ledger(name)).active?.tag)),
    /** The same by `current`. */
    current: () =>
      Promise.all(
        names.map(async (name) => {
          const directory = await readlink(join(root, name, "current")).catch(() => "");
          const { releases = [], attempt } = await host.ledger(name);
          const known = [...releases, ...(attempt ? [attempt] : [])];
          return known.find((one) => directory && one.directory?.endsWith(directory))?.tag;
        }),
      ),
    /** Those whose start from a release was committed. */
    inService: (tag: string) =>
      host.logger.lines
        .filter(({ message, fields }) => message === "Start server" && fields.tag === tag)
        .map(({ fields }) => fields.app),
    crash: (name: string) => writeFile(join(root, name, "crash"), ""),
    uncrash: (name: string) => rm(join(root, name, "crash"), { force: true }),
    start: () => startApps(apps, host.logger),
  };
  return host;
}

async function startApps(apps: readonly AppOptions[], logger: FakeLogger) {
  const stop = new AbortController();
  const parts = { clock: systemClock, logger, environment: {}, version: "0.0.0" };
  const agent = await openAgent(
    { telemetry: undefined, adminPort: 0 },
    { ...parts, onRestart: () => () => {} },
    stop,
  );
  const stops = apps.map(() => new AbortController());
  const running = apps.map((app, place) =>
    agent.run(app, logger.with({ app: app.name }), stops[place] ?? stop).catch(() => {}),
  );
  const end = async () => {
    for (const each of [stop, ...stops]) each.abort(new Error("told to stop"));
    await Promise.all(running);
    await agent.close();
  };
  onTestFinished(end);
  return end;
}

function appOf(name: string, directory: string, changed: Partial<AppOptions>): AppOptions {
  return {
    ...{ name, mode: "server", registry: `ghr://acme/app?artifact=app`, ports: [] },
    ...{ command: ["current/app"], directory, intervalMs: 1_000, drainMs: 1_000, cache: undefined },
    ...{ notifiers: [], scrubEnvironment: true, environment: {}, userAgent: "dewy/test" },
    ...{ handover: false, windows: [], minimumAgeMs: undefined, failureLimit: 1 },
    crashes: { crashLimit: 1, watchMs: 3_600_000 },
    health: {
      ...{ status: [{ from: 200, to: 399 }], grpc: false },
      ...{ timeoutMs: 20_000, minimumUptimeMs: 100, bakeMs: 0 },
    },
    ...changed,
  };
}
