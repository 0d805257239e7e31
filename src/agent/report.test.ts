import { describe, expect, it } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import type { DeploymentReport } from "./release.ts";
import { FakeReleaseRegistry } from "./release-registry.fake.ts";
import { withReport } from "./report.ts";

const target = { tag: "v1.0.0", identity: "one", command: "server" as const };
const broken = new Error("it broke");

describe("withReport", () => {
  it("tells the registry that a deployment succeeded", async ({ signal }) => {
    const { registry, logger, reports } = prepare();

    await withReport(target, { registry, logger }, async () => {}, { signal });

    expect(reports).toEqual([{ ...target, error: undefined }]);
  });

  it("tells the registry why a deployment failed, and fails like it", async ({ signal }) => {
    const { registry, logger, reports } = prepare();

    const result = withReport(target, { registry, logger }, () => Promise.reject(broken), {
      signal,
    });

    await expect(result).rejects.toBe(broken);
    expect(reports).toEqual([{ ...target, error: "it broke" }]);
  });

  it("changes nothing when the registry cannot be told", async ({ signal }) => {
    const { registry, logger } = prepare();
    registry.report = () => Promise.reject(broken);

    await withReport(target, { registry, logger }, async () => {}, { signal });

    expect(logger.messages("warn")).toEqual(["the registry could not be told of the deployment"]);
  });

  it("says nothing of a deployment that was told to stop", async () => {
    const { registry, logger, reports } = prepare();
    const signal = AbortSignal.abort();

    const stopped = () => Promise.reject(signal.reason);
    const result = withReport(target, { registry, logger }, stopped, { signal });

    await expect(result).rejects.toBe(signal.reason);
    expect(reports).toEqual([]);
  });

  it("asks nothing of a registry that does not want to know", async ({ signal }) => {
    const logger = new FakeLogger();

    await withReport(target, { registry: new FakeReleaseRegistry(), logger }, async () => {}, {
      signal,
    });

    expect(logger.lines).toEqual([]);
  });
});

function prepare() {
  const reports: DeploymentReport[] = [];
  const report = async (each: DeploymentReport) => {
    reports.push(each);
  };
  const registry = Object.assign(new FakeReleaseRegistry(), { report });
  return { registry, logger: new FakeLogger(), reports };
}
