import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { serve } from "../base/local-server.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { openAgent } from "./agent.ts";
import type { AppOptions } from "./app-options.ts";
import { openFakeSmtp } from "./notifiers/smtp.fake.ts";
import { serveFakeGithub } from "./registries/github.fake.ts";

it("lets a slow mail server and a slow collector wait side by side when it ends", async () => {
  const collector = await openCollector();
  const smtp = await openFakeSmtp(undefined);
  smtp.before = () => collector.asked;
  const agent = await openHost(
    `mail://127.0.0.1:${smtp.port}/ops@example.com?tls=false`,
    collector,
  );
  await agent.isPolled();

  await agent.stop();

  expect(agent.logger.messages("warn")).not.toContain("notices were not sent");
  expect(smtp.mails.length).toBeGreaterThan(0);
});

async function openCollector() {
  let resolve = () => {};
  const asked = new Promise<void>((done) => {
    resolve = done;
  });
  const { url } = await serve(async (_request, response) => {
    resolve();
    response.end();
  });
  return { asked, url };
}

async function openHost(notifier: string, collector: { url: URL }) {
  const github = await serveFakeGithub();
  github.publish("v1.0.0", { index: "one" });
  const directory = await mkdtemp(join(tmpdir(), "dewy-agent-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const environment = {
    ...{ PATH: process.env.PATH, GITHUB_API_URL: github.api, GITHUB_TOKEN: github.token },
    ...{ MAIL_FROM: "dewy@example.com" },
  };
  const logger = new FakeLogger();
  const stop = new AbortController();
  const agent = await openAgent(
    { telemetry: { endpoint: collector.url.href, insecure: false }, adminPort: 0 },
    { clock: systemClock, logger, environment, onRestart: () => () => {}, version: "test" },
    stop,
  );
  const running = agent.run(optionsOf(directory, notifier, environment), logger, stop);
  const ended = running.catch(() => {});
  return {
    logger,
    isPolled: () =>
      vi.waitFor(() => expect(logger.messages("info")).toContain("Release in service"), 10_000),
    async stop() {
      stop.abort(new Error("told to stop"));
      await ended;
      await agent.close();
    },
  };
}

function optionsOf(
  directory: string,
  notifier: string,
  environment: AppOptions["environment"],
): AppOptions {
  return {
    ...{ name: "web", mode: "assets", registry: "ghr://acme/app?artifact=index", command: [] },
    ...{ ports: [], directory, intervalMs: 60_000, drainMs: 1000, cache: undefined },
    ...{
      notifiers: [notifier],
      scrubEnvironment: false,
      failureLimit: 3,
      handover: false,
      environment,
      userAgent: "dewy/test",
    },
  };
}
