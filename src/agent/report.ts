import { type Call, isEchoOf, withTimeout } from "../base/call.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { DeploymentReport, ReleaseRegistry } from "./release.ts";

const reportTimeoutMs = 15_000;

export interface ReportParts {
  registry: ReleaseRegistry;
  logger: Logger;
}

/**
 * Runs `deploy`, and tells the registry how it ended, where the registry wants to know. A deployment
 * is what it is: a report that does not arrive is logged, and changes nothing.
 */
export async function withReport(
  target: Omit<DeploymentReport, "error">,
  parts: ReportParts,
  deploy: () => Promise<void>,
  call: Call,
): Promise<void> {
  try {
    await deploy();
  } catch (error) {
    if (!isEchoOf(call.signal, error)) {
      await tell({ ...target, error: messageOf(error) }, parts, call);
    }
    throw error;
  }
  await tell({ ...target, error: undefined }, parts, call);
}

async function tell(
  report: DeploymentReport,
  { registry, logger }: ReportParts,
  call: Call,
): Promise<void> {
  if (registry.report === undefined) return;
  try {
    await withTimeout("the report of a deployment", reportTimeoutMs, call, async (limited) =>
      registry.report?.(report, limited),
    );
  } catch (error) {
    if (call.signal.aborted) return;
    logger.warn("the registry could not be told of the deployment", { tag: report.tag, error });
  }
}
