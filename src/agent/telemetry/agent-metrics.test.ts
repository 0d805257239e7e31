import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { prometheusText } from "../../base/prometheus-text.ts";
import type { AgentEvent, AppIdentity } from "../event.ts";
import { openAgentMetrics } from "./agent-metrics.ts";

const web: AppIdentity = { app: "web", host: "h", mode: "server" };
const resource = { "service.name": "dewy", "service.version": "1.2.3" };

describe("the metrics of the agent", () => {
  it("have the original's names, labels and buckets", () => {
    const text = textAfter([
      { type: "deployed", deployment: deployment("v1", 42_000) },
      { type: "deployment failed", deployment: deployment("v2", 1), error: "x", failures: 1 },
    ]);

    expect(text).toContain('dewy_deployments_total{app="web",command="server"} 1\n');
    expect(text).toContain('dewy_deployment_errors_total{app="web",command="server"} 1\n');
    expect(linesFor(text, "dewy_deployment_duration_seconds")).toEqual([
      "# HELP dewy_deployment_duration_seconds Time a successful deployment took.",
      "# TYPE dewy_deployment_duration_seconds histogram",
      ...[1, 5, 10, 30].map((le) => bucket(String(le), 0)),
      ...["60", "120", "300", "600", "+Inf"].map((le) => bucket(le, 1)),
      'dewy_deployment_duration_seconds_sum{app="web",command="server"} 42',
      'dewy_deployment_duration_seconds_count{app="web",command="server"} 1',
    ]);
    expect(text).toContain('target_info{service_name="dewy",service_version="1.2.3"} 1\n');
  });

  it("tell what has decided", () => {
    const by = { kind: "person", name: "alice" } as const;
    const text = textAfter([
      { type: "deployed", deployment: deployment("v1", 1) },
      { type: "deployed", deployment: { ...deployment("v2", 1), by } },
      { type: "rolled back", tag: "v2", to: "v1", reason: "it died", deaths: 3 },
    ]);

    expect(linesFor(text, "dewy_deployments_decided_total").slice(2)).toEqual([
      'dewy_deployments_decided_total{app="web",by="poll"} 1',
      'dewy_deployments_decided_total{app="web",by="person"} 1',
      'dewy_deployments_decided_total{app="web",by="crashes"} 1',
    ]);
  });

  it("count what replaces a generation of the app, and not its first start", () => {
    const text = textAfter([
      started("boot"),
      started("deploy"),
      started("signal"),
      { type: "app died", how: "ended with status 1" },
      started("death"),
    ]);

    for (const reason of ["deploy", "signal", "death"]) {
      expect(text).toContain(`dewy_server_restarts_total{app="web",reason="${reason}"} 1\n`);
    }
    expect(text).not.toContain('reason="boot"');
    expect(text).toContain('dewy_server_deaths_total{app="web"} 1\n');
    const first = textAfter([started("deploy")]);
    expect(first).toContain('dewy_server_restarts_total{app="web",reason="deploy"} 0\n');
  });

  it("tell when the registry last answered, so that a poll that hangs is noticed", () => {
    const before = textAfter([]);
    const after = textAfter([
      { type: "polled", durationMs: 300, tag: "v1" },
      { type: "poll failed", error: new Error("no"), failures: 1 },
    ]);

    expect(before).toContain('dewy_last_successful_poll_timestamp_seconds{app="web"} 0\n');
    expect(after).toContain('dewy_last_successful_poll_timestamp_seconds{app="web"} 1767225600\n');
    expect(after).toContain('dewy_polls_total{app="web"} 2\n');
    expect(after).toContain('dewy_poll_errors_total{app="web"} 1\n');
    expect(after).toContain('dewy_poll_duration_seconds_bucket{app="web",le="0.5"} 1\n');
    expect(after).toContain('dewy_poll_duration_seconds_bucket{app="web",le="0.25"} 0\n');
  });

  it("count the rollouts that this host has halted", () => {
    const text = textAfter([
      { type: "rollout halted", tag: "v2", reason: "it died", installed: 1, hosts: 9 },
    ]);

    expect(text).toContain('dewy_rollouts_halted_total{app="web"} 1\n');
  });

  it("name the release in service alone", () => {
    const text = textAfter([
      { type: "app started", reason: "boot", tag: "v1", pid: 1 },
      { type: "app started", reason: "deploy", tag: "v2", pid: 2 },
      { type: "deployed", deployment: deployment("v2", 5) },
      { type: "app started", reason: "deploy", tag: "v3", pid: 2 },
    ]);

    expect(linesFor(text, "dewy_release_info").slice(2)).toEqual([
      'dewy_release_info{app="web",tag="v2"} 1',
    ]);
  });

  it("tell phases, hooks and what the rate limit leaves", () => {
    const text = textAfter([
      { type: "phase ended", phase: "fetch", tag: "v1", durationMs: 2_000 },
      { type: "hook ended", hook: "before-deploy", tag: "v1", durationMs: 500, error: "x" },
      { type: "rate limit told", remaining: 7, limit: 60, resetAt: new Date(90_000) },
    ]);

    expect(text).toContain(
      'dewy_deployment_phase_duration_seconds_sum{app="web",phase="fetch"} 2\n',
    );
    expect(text).toContain(
      'dewy_hook_duration_seconds_sum{app="web",hook="before-deploy",outcome="failure"} 0.5\n',
    );
    expect(text).toContain('dewy_github_rate_limit_remaining{app="web"} 7\n');
    expect(text).toContain('dewy_github_rate_limit_reset_timestamp_seconds{app="web"} 90\n');
  });

  it("keep apps apart, and survive odd names", () => {
    const metrics = openAgentMetrics(new FakeClock());
    metrics.observe(web)({ type: "polled", durationMs: 1, tag: undefined });
    metrics.observe({ ...web, app: 'a"\n\\' });

    const text = prometheusText(metrics.read(), resource);

    expect(text).toContain('dewy_polls_total{app="web"} 1\n');
    expect(text).toContain('dewy_polls_total{app="a\\"\\n\\\\"} 0\n');
  });
});

function textAfter(events: readonly AgentEvent[]): string {
  const metrics = openAgentMetrics(new FakeClock());
  const observe = metrics.observe(web);
  for (const event of events) observe(event);
  return prometheusText(metrics.read(), resource);
}

const linesFor = (text: string, name: string) =>
  text.split("\n").filter((line) => new RegExp(`(^|[ ])${name}(_|[{]| )`).test(line));

const bucket = (le: string, count: number) =>
  `dewy_deployment_duration_seconds_bucket{app="web",command="server",le="${le}"} ${count}`;

const started = (reason: "boot" | "deploy" | "signal" | "death"): AgentEvent => ({
  ...{ type: "app started", reason, tag: undefined, pid: 1 },
});

function deployment(tag: string, durationMs: number) {
  return {
    ...{ tag, previousTag: undefined, artifact: "a", identity: "i", digest: undefined },
    ...{ directory: undefined, startedAt: new Date(0), durationMs },
  };
}
