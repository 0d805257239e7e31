import { describe, expect, it } from "vitest";
import { ConfigError } from "../../base/errors.ts";
import { digestOf } from "../../oci/digest.ts";
import type { AgentEvent, Deployment } from "../event.ts";
import { entryOf } from "./entry.ts";

const now = new Date("2026-11-21T08:00:05.250Z");
const identity = { app: "web", host: "h1", mode: "server" } as const;
const known = { registry: "ghr://owner/web", dewy: "0.1.0", tag: "v1.0.0" };
const deployment: Deployment = {
  tag: "v1.1.0",
  previousTag: "v1.0.0",
  artifact: "web_linux_amd64.tar.gz",
  identity: "sha256:1",
  digest: digestOf("bytes"),
  directory: "/srv/web/releases/20261121T080000Z",
  startedAt: new Date("2026-11-21T08:00:00Z"),
  durationMs: 5250,
};

describe("an entry of the history", () => {
  it("says who deployed what, where, when and from where", () => {
    expect(entry({ type: "deployed", deployment })).toEqual({
      version: 1,
      at: "2026-11-21T08:00:05.250Z",
      event: "deployed",
      by: "poll",
      ...identity,
      registry: "ghr://owner/web",
      dewy: "0.1.0",
      ...deployment,
      startedAt: "2026-11-21T08:00:00.000Z",
    });
  });

  it("says who has decided it, where that was no poll", () => {
    const by = { kind: "person", name: "alice (uid 7)", reason: "it is\nslow" } as const;

    expect(entry({ type: "deployed", deployment: { ...deployment, by } })).toMatchObject({
      ...{ by: "person", person: "alice (uid 7)", why: "it is slow" },
    });
    const judged = { type: "release quarantined", tag: "v1", reason: "it died" } as const;
    const crashed = { ...judged, failures: 3, logTail: [], by: { kind: "crashes" } } as const;
    expect(entry(crashed)).toMatchObject({ by: "crashes" });
  });

  it("says why a deployment failed, what to do about it, and how often it has", () => {
    const error = new ConfigError("it is\n  broken", { hint: "mend it" });

    expect(entry({ type: "deployment failed", deployment, error, failures: 2 })).toMatchObject({
      event: "deployment failed",
      error: "it is broken: mend it",
      failures: 2,
      tag: "v1.1.0",
      previousTag: "v1.0.0",
    });
  });

  it("says which rollout this host has halted, and why", () => {
    const reason = "it was bad on h7: it died";

    expect(
      entry({ type: "rollout halted", tag: "v2", reason, installed: 1, hosts: 9 }),
    ).toMatchObject({ event: "rollout halted", tag: "v2", error: reason });
  });

  it.each(["before-deploy", "after-deploy", "rollback"] as const)(
    "names the %s hook that failed",
    (hook) => {
      const error = new Error("it ended with status 3");
      const event = { type: "hook ended", hook, tag: "v1.1.0", durationMs: 12, error } as const;

      expect(entry(event)).toMatchObject({
        event: "hook failed",
        hook,
        tag: "v1.1.0",
        durationMs: 12,
        error: "it ended with status 3",
      });
    },
  );

  it("says how an app died, and of which release it was", () => {
    expect(entry({ type: "app died", how: "killed by SIGKILL" })).toMatchObject({
      event: "app died",
      tag: "v1.0.0",
      error: "killed by SIGKILL",
    });
  });

  it.each<AgentEvent>([
    { type: "polled", durationMs: 3, tag: "v1.1.0" },
    { type: "hook ended", hook: "after-deploy", tag: "v1.1.0", durationMs: 12 },
    { type: "app started", reason: "boot", tag: "v1.1.0", pid: 1 },
    { type: "stopping", reason: "SIGTERM" },
  ])("leaves out what nobody asks about later: $type", (event) => {
    expect(entry(event)).toBeUndefined();
  });

  it("stays short, whatever an error or a registry says", () => {
    const long = { ...deployment, tag: "v".repeat(5000), identity: "\0".repeat(5000) };
    const event = {
      type: "deployment failed",
      deployment: long,
      error: "x".repeat(5e6),
      failures: 1,
    } as const;

    expect(JSON.stringify(entry(event)).length).toBeLessThan(16_000);
  });

  it("leaves out what was not known", () => {
    const first = { ...deployment, previousTag: undefined, digest: undefined };

    expect(entry({ type: "deployed", deployment: first })).not.toHaveProperty("previousTag");
    expect(entry({ type: "deployed", deployment: first })).not.toHaveProperty("digest");
  });
});

function entry(event: AgentEvent) {
  return entryOf(event, identity, known, now);
}
