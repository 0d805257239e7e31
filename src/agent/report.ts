import { type Call, isEchoOf, withGrace, withTimeout } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Choice } from "./choose/choose.ts";
import type { Deployment, Mode, Observe } from "./event.ts";
import type { DeployedRelease, Ledger } from "./ledger/ledger.ts";
import type { DeploymentReport, ReleaseRegistry } from "./release.ts";

const reportTimeoutMs = 15_000;
/** Of that, once the agent has been told to end. */
const lastReportMs = 5_000;

export interface ReportParts {
  registry: ReleaseRegistry;
  ledger: Ledger;
  mode: Mode;
  host: string;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

/**
 * Runs `deploy`, and tells everybody who wants to know how it ended, the registry last. A deployment
 * is what it is: a report that does not arrive is logged, and changes nothing.
 */
export async function withReport(
  choice: Pick<Choice, "tag" | "artifact">,
  parts: ReportParts,
  deploy: () => Promise<DeployedRelease>,
  call: Call,
): Promise<void> {
  const { ledger, logger, observe } = parts;
  const factsOf = deploymentOf(choice, parts);
  try {
    const { digest, directory } = await deploy();
    observe({ type: "deployed", deployment: { ...factsOf(), digest, directory } });
  } catch (error) {
    if (isEchoOf(call.signal, error)) {
      logger.info("Deployment broken off", { tag: choice.tag, phase: ledger.state.attempt?.phase });
      throw error;
    }
    const failures = (ledger.state.attempt?.failures ?? 0) + 1;
    const directory = ledger.state.attempt?.directory;
    const deployment = { ...factsOf(), digest: choice.artifact.digest, directory };
    observe({ type: "deployment failed", deployment, error, failures });
    await tell(choice, messageOf(error), parts, call);
    throw error;
  }
  await tell(choice, undefined, parts, call);
}

/** What is known beforehand; the duration is that until the call. */
function deploymentOf(
  { tag, artifact }: Pick<Choice, "tag" | "artifact">,
  { ledger, clock }: ReportParts,
): () => Omit<Deployment, "digest" | "directory"> {
  const startedAt = clock.now();
  const began = performance.now();
  const previousTag = ledger.state.active?.tag;
  const { name, identity } = artifact;
  return () => ({
    ...{ tag, previousTag, artifact: name, identity, startedAt },
    durationMs: Math.round(performance.now() - began),
  });
}

async function tell(
  { tag, artifact: { identity } }: Pick<Choice, "tag" | "artifact">,
  error: string | undefined,
  { registry, mode, host, clock, logger }: ReportParts,
  call: Call,
): Promise<void> {
  if (registry.report === undefined) return;
  const report: DeploymentReport = {
    ...{ tag, identity, command: mode, host, error },
    at: clock.now(),
  };
  const what = "the report of a deployment";
  try {
    await withGrace(what, lastReportMs, call, (last) =>
      withTimeout(what, reportTimeoutMs, last, async (each) => registry.report?.(report, each)),
    );
    // Of a failure only some registries take note.
    logger[error === undefined ? "info" : "debug"]("Report shipping", { tag });
  } catch (error) {
    logger.warn("Report shipping failure", { tag, error });
  }
}
