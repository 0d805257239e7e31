import { describe, expect, it } from "vitest";
import type { Call } from "../base/call.ts";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import type { AgentEvent } from "./event.ts";
import { fakeLedger } from "./ledger/ledger.fake.ts";
import type { DeployedRelease } from "./ledger/ledger.ts";
import type { Artifact, DeploymentReport } from "./release.ts";
import { FakeReleaseRegistry } from "./release-registry.fake.ts";
import { withReport } from "./report.ts";

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

  it("asks nothing of a registry that does not want to know", async ({ signal }) => {
    const { parts } = prepare();
    const silent = { ...parts, registry: new FakeReleaseRegistry() };

    await withReport(choice, silent, async () => release, { signal });

    expect(parts.logger.lines).toEqual([]);
  });
});

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
