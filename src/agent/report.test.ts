import { describe, expect, it } from "vitest";
import type { Call } from "../base/call.ts";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import type { AgentEvent } from "./event.ts";
import { beginAttempt, commitDeployment } from "./ledger/attempt.ts";
import { fakeLedger } from "./ledger/ledger.fake.ts";
import type { DeployedRelease, LedgerState } from "./ledger/ledger.ts";
import type { Artifact, DeploymentReport } from "./release.ts";
import { FakeReleaseRegistry } from "./release-registry.fake.ts";
import { onceUntold, withReport } from "./report.ts";

const artifact = { name: "app.tar.gz", identity: "one" } as Artifact;
const choice = { tag: "v1.0.0", artifact };
const reported = { tag: "v1.0.0", identity: "one", command: "assets", host: "web-1" };
const release: DeployedRelease = {
  ...{ tag: "v1.0.0", identity: "one", artifact: "app.tar.gz", directory: "/releases/1" },
  ...{ digest: digestOf(Buffer.from("app")), since: "2026-11-21T00:00:00Z" },
};
const broken = new Error("it broke");

describe("withReport", () => {
  it("tells everybody that a deployment succeeded", async ({ signal }) => {
    const { parts, reports, events } = prepare();

    await withReport(choice, parts, async () => release, { signal });

    expect(reports).toMatchObject([{ ...reported, error: undefined }]);
    const { digest, directory } = release;
    expect(events).toMatchObject([
      {
        type: "deployed",
        deployment: { tag: "v1.0.0", previousTag: undefined, digest, directory },
      },
    ]);
  });

  it("tells everybody why a deployment failed, and fails like it", async ({ signal }) => {
    const { parts, reports, events } = prepare();

    const result = withReport(choice, parts, () => Promise.reject(broken), { signal });

    await expect(result).rejects.toBe(broken);
    expect(reports).toMatchObject([{ ...reported, error: "it broke" }]);
    expect(events).toMatchObject([{ type: "deployment failed", error: broken, failures: 1 }]);
    expect(parts.logger.messages("info")).toEqual([]);
  });

  it("changes nothing when the registry cannot be told", async ({ signal }) => {
    const { parts } = prepare();
    parts.registry.report = () => Promise.reject(broken);

    await withReport(choice, parts, async () => release, { signal });

    expect(parts.logger.messages("warn")).toEqual(["Report shipping failure"]);
  });

  it("says nothing of a deployment that was told to stop", async () => {
    const { parts, reports, events } = prepare();
    const signal = AbortSignal.abort();

    const stopped = () => Promise.reject(signal.reason);
    const result = withReport(choice, parts, stopped, { signal });

    await expect(result).rejects.toBe(signal.reason);
    expect([...reports, ...events]).toEqual([]);
    expect(parts.logger.messages("info")).toEqual(["Deployment broken off"]);
  });

  it("tells of what was committed while the agent was told to stop", async () => {
    const { parts, reports, events } = prepare();
    const agent = new AbortController();
    const committed = async () => {
      agent.abort();
      return release;
    };

    await withReport(choice, parts, committed, agent);

    expect(reports).toMatchObject([{ ...reported, error: undefined }]);
    expect(events).toMatchObject([{ type: "deployed" }]);
  });

  it("tells once of what an agent before it committed, and was killed before it could tell", async ({
    signal,
  }) => {
    const { parts, reports, events } = prepare();
    const committedAt = new Date("2026-11-21T00:00:09Z");
    await parts.ledger.update((state) => committed(state, committedAt));

    const tell = onceUntold(parts);
    await tell({ signal });
    await tell({ signal });

    expect(reports).toEqual([{ ...reported, error: undefined, at: committedAt }]);
    const { digest, directory } = release;
    const deployment = { tag: "v1.0.0", artifact: "app.tar.gz", digest, directory };
    expect(events).toMatchObject([
      { type: "deployed", at: committedAt, deployment: { ...deployment, durationMs: 9000 } },
    ]);
    expect(parts.ledger.state).toMatchObject({ active: release });
    expect(parts.ledger.state.untold).toBeUndefined();
  });

  it("leaves nothing for the next agent to tell", async ({ signal }) => {
    const { parts, reports } = prepare();
    const committedAt = new Date("2026-11-21T00:00:09Z");
    const deploy = async () => {
      await parts.ledger.update((state) => committed(state, committedAt));
      return release;
    };

    await withReport(choice, parts, deploy, { signal });
    await onceUntold(parts)({ signal });

    expect(reports).toEqual([{ ...reported, error: undefined, at: committedAt }]);
  });

  it("is noted as told when its record is on disk", async ({ signal }) => {
    const { parts } = prepare();
    await parts.ledger.update((state) => committed(state, new Date()));
    const recorded = async () => expect(parts.ledger.state.untold).toBeDefined();

    await withReport(choice, { ...parts, recorded }, async () => release, { signal });

    expect(parts.ledger.state.untold).toBeUndefined();
    expect.assertions(2);
  });

  it("does not fail a deployment because the ledger cannot note that it was told", async ({
    signal,
  }) => {
    const { parts } = prepare();
    await parts.ledger.update((state) => committed(state, new Date()));
    parts.ledger.update = () => Promise.reject(broken);

    await withReport(choice, parts, async () => release, { signal });

    expect(parts.logger.messages("error")).toEqual(["the ledger could not be written"]);
  });

  it("asks nothing of a registry that does not want to know", async ({ signal }) => {
    const { parts } = prepare();
    const silent = { ...parts, registry: new FakeReleaseRegistry() };

    await withReport(choice, silent, async () => release, { signal });

    expect(parts.logger.lines).toEqual([]);
  });
});

/** As an agent leaves the ledger that has not told anybody yet. */
function committed(state: Readonly<LedgerState>, at: Date): LedgerState {
  const target = { ...choice, identity: "one", artifact: "app.tar.gz" };
  const trying = beginAttempt(state, target, new Date("2026-11-21T00:00:00Z"));
  return commitDeployment(trying, release, at);
}

function prepare() {
  const reports: DeploymentReport[] = [];
  const report = async (each: DeploymentReport, { signal }: Call) => {
    signal.throwIfAborted();
    reports.push(each);
  };
  const registry = Object.assign(new FakeReleaseRegistry(), { report });
  const events: AgentEvent[] = [];
  const parts = {
    ...{
      registry,
      ledger: fakeLedger(),
      mode: "assets" as const,
      host: "web-1",
      clock: new FakeClock(),
    },
    ...{ logger: new FakeLogger(), observe: (event: AgentEvent) => void events.push(event) },
  };
  return { parts, reports, events };
}
