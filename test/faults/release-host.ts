import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { openAgent } from "../../src/agent/agent.ts";
import type { AppOptions } from "../../src/agent/app-options.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Outcome } from "../../src/agent/control/control-request.ts";
import { Situation } from "../../src/agent/control/situation.ts";
import type { HistoryEntry } from "../../src/agent/history/entry.ts";
import { readHistory } from "../../src/agent/history/read-history.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";
import { openFakeSlack } from "../../src/agent/notifiers/slack.fake.ts";
import type { HealthOptions } from "../../src/agent/readiness/health.ts";
import { serveFakeGithub } from "../../src/agent/registries/github.fake.ts";
import { openListeners } from "../../src/agent/supervisor/listeners.ts";
import { ask } from "../../src/agent/supervisor/sample-app.fake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { digestOf } from "../../src/oci/digest.ts";

export const serving = "listen((request, response) => response.end(tag));";
export const health: HealthOptions = {
  ...{ status: [{ from: 200, to: 399 }], grpc: false },
  ...{ timeoutMs: 20_000, minimumUptimeMs: 100, bakeMs: 0 },
};

/** For apps that say by themselves when they are ready, to the descriptor 9. */
export const sayReady = 'require("node:fs").writeSync(9, "ready\\n");';

export type HostOptions = Partial<
  Pick<AppOptions, "mode" | "crashes" | "beforeDeployHook" | "rollbackHook" | "verify">
> & {
  health?: Partial<HealthOptions> | undefined;
  /** The files beside the one that is deployed, in every release. */
  beside?: ((content: string, tag: string) => Readonly<Record<string, string>>) | undefined;
  /** What a workflow leaves about the file of a release, as it is published. */
  attest?: (tag: string, content: string) => Promise<object | undefined>;
  /** What `v1.0.0` does. */
  first?: string | undefined;
};

/** An agent that follows a fake GitHub, where `v1.0.0` is published, and its app on a port. */
export async function openHost({ health: asked, beside, attest, first, ...rest }: HostOptions) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-bad-release-"));
  const github = await serveFakeGithub();
  const slack = await openFakeSlack("xoxb-1");
  const environment = {
    ...{ PATH: process.env.PATH, GITHUB_API_URL: github.api, GITHUB_TOKEN: github.token },
    ...{ SLACK_TOKEN: "xoxb-1", SLACK_API_URL: slack.url },
  };
  let port = 0;
  const logger = new FakeLogger();
  const stop = new AbortController();
  const agent = await openAgent(
    { telemetry: { insecure: false }, adminPort: 0 },
    {
      ...{ clock: systemClock, logger, environment, version: "0.0.0", onRestart: () => () => {} },
      async listen(ports, call) {
        const listeners = await openListeners(ports, call);
        port = listeners.sockets[0]?.port ?? 0;
        return listeners;
      },
    },
    stop,
  );
  const options: AppOptions = {
    ...{
      name: "app",
      mode: "server",
      registry: "ghr://acme/app?artifact=app",
      ports: [await freePort()],
    },
    ...{ command: ["current/app"], directory, intervalMs: 1, drainMs: 2_000, cache: undefined },
    ...{
      notifiers: ["slack://deployments"],
      scrubEnvironment: true,
      environment,
      userAgent: "dewy/test",
    },
    ...{ handover: false, windows: [], minimumAgeMs: undefined },
    ...{ failureLimit: 1, health: { ...health, ...asked } },
    ...rest,
  };
  let current = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const host = {
    ...{ logger, directory },
    /** Starts the app anew, in the same directory. */
    async again(changes: Pick<HostOptions, "verify">): Promise<void> {
      current.abort(new Error("started anew"));
      await running;
      begin(changes);
    },
    port: () => port,
    polls: () => github.requests.length,
    pin: (tag: string) =>
      askAgent(directory, "pin", { tag, by: "alice" }, Outcome, new AbortController()),
    deploy: (tag: string) =>
      askAgent(
        directory,
        "deploy",
        { tag, now: true, by: "alice" },
        Outcome,
        new AbortController(),
      ),
    /** It serves, and the deployment is committed. */
    runs: async (tag: string) =>
      (await host.ledger().catch(() => undefined))?.active?.tag === tag && host.answers(tag),
    answers: async (tag: string) => port > 0 && (await ask(port).catch(() => "")) === tag,
    ledger: async () =>
      JSON.parse(await readFile(join(directory, ".dewy/ledger.json"), "utf8")) as LedgerState,
    async history() {
      const told: HistoryEntry[] = [];
      const { signal } = new AbortController();
      for await (const entry of readHistory(directory, {}, { signal })) told.push(entry);
      return told;
    },
    told: async () => (await host.history()).map(({ event, tag }) => [event, tag]),
    status: () => askAgent(directory, "status", {}, Situation, new AbortController()),
    /** What was posted to the channel, a notice each. */
    notices: () => slack.posts.map((post) => JSON.stringify(post).replaceAll('\\"', '"')),
    /** The lines that begin so, of what is scraped. */
    async metrics(...names: string[]) {
      const { fields } = logger.lines.find((line) => line.message === "Admin API started") ?? {};
      const answer = await fetch(`http://${fields?.address}/metrics`);
      const lines = (await answer.text()).split("\n");
      return lines.filter((line) => names.some((name) => line.startsWith(`${name}{`)));
    },
    unpublish(tag: string): void {
      github.releases = github.releases.filter((release) => release.tag !== tag);
    },
    async publish(tag: string, body: string, isTampered = false) {
      const content = appOf(tag, body);
      const bundle = await attest?.(tag, content);
      if (bundle) github.attestations.set(digestOf(content), [bundle]);
      github.publish(tag, { app: content, ...beside?.(content, tag) });
      const [asset] = github.releases[0]?.assets ?? [];
      if (asset && isTampered) asset.served = asset.content.replace("servers", "SERVERS");
    },
  };
  await host.publish("v1.0.0", first ?? serving);
  begin();
  onTestFinished(async () => {
    stop.abort(new Error("told to stop"));
    await running;
    await agent.close();
    await rm(directory, { recursive: true, force: true });
  });
  return host;

  function begin(changes: HostOptions = {}): void {
    current = new AbortController();
    const signal = AbortSignal.any([stop.signal, current.signal]);
    const { verify = options.verify } = changes;
    running = agent
      .run({ ...options, verify }, logger, { signal })
      .catch((error: unknown) => error);
  }
}

/** A release of one file, which serves on the sockets it is given. */
function appOf(tag: string, body: string): string {
  return `#!/usr/bin/env -S ${process.execPath} --max-old-space-size=64
    const tag = ${JSON.stringify(tag)};
    const servers = [];
    function listen(answer) {
      const { createServer } = require("node:http");
      const server = createServer((request, response) => {
        response.setHeader("connection", "close");
        answer(request, response);
      });
      servers.push(server.listen({ fd: 3 }));
    }
    process.on("SIGTERM", () => {
      for (const server of servers) server.close();
      setTimeout(() => process.exit(), 100).unref();
    });
    ${body}
  `;
}
