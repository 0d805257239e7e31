import { type Call, isEchoOf, withGrace, withTimeout } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Choice } from "./choose/choose.ts";
import type { Deployment, Mode, Observe } from "./event.ts";
import { forgetUntold } from "./ledger/attempt.ts";
import type { DeployedRelease, Ledger, Untold } from "./ledger/ledger.ts";
import type { DeploymentReport, ReleaseRegistry } from "./release.ts";
import { sentenceOf } from "./verify/verifier.ts";

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
  /** See `AppParts`. */
  recorded?: (() => Promise<void>) | undefined;
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
  const { ledger, logger, observe, clock, mode, host } = parts;
  const { tag, artifact } = choice;
  const reported = { tag, identity: artifact.identity, command: mode, host };
  const factsOf = deploymentOf(choice, parts);
  try {
    const { digest, directory, evidence } = await deploy();
    const verified = evidence && sentenceOf(evidence);
    observe({ type: "deployed", deployment: { ...factsOf(), digest, directory, verified } });
  } catch (error) {
    if (isEchoOf(call.signal, error)) {
      logger.info("Deployment broken off", { tag, phase: ledger.state.attempt?.phase });
      throw error;
    }
    const failures = (ledger.state.attempt?.failures ?? 0) + 1;
    const directory = ledger.state.attempt?.directory;
    const deployment = { ...factsOf(), digest: artifact.digest, directory };
    observe({ type: "deployment failed", deployment, error, failures });
    await tell({ ...reported, error: messageOf(error), at: clock.now() }, parts, call);
    throw error;
  }
  const { committedAt } = ledger.state.untold ?? {};
  const at = committedAt === undefined ? clock.now() : new Date(committedAt);
  await tell({ ...reported, error: undefined, at }, parts, call);
  await noteTold(parts);
}

/**
 * Tells, when it is called first, of the deployment that an agent committed before it was killed, and
 * told nobody of. Who was told just before the kill may hear of it twice.
 */
export function onceUntold(parts: ReportParts): (call: Call) => Promise<void> {
  let { untold } = parts.ledger.state;
  return async (call) => {
    const left = untold;
    untold = undefined;
    if (left) await tellUntold(left, parts, call);
  };
}

async function tellUntold(
  { release, previousTag, by, ...times }: Untold,
  parts: ReportParts,
  call: Call,
): Promise<void> {
  const { mode, host, logger, observe } = parts;
  const { tag, identity, artifact, digest, directory, evidence } = release;
  const verified = evidence && sentenceOf(evidence);
  const [startedAt, at] = [new Date(times.startedAt), new Date(times.committedAt)];
  const durationMs = Math.max(0, at.getTime() - startedAt.getTime());
  logger.info("Telling of a deployment that an earlier agent left untold", { tag, at });
  const deployment = { tag, previousTag, artifact, identity, digest, directory, verified, by };
  observe({ type: "deployed", deployment: { ...deployment, startedAt, durationMs }, at });
  await tell({ tag, identity, command: mode, host, error: undefined, at }, parts, call);
  await noteTold(parts);
}

/** A release that was in service and is so no more, and the one in its place. */
export interface GoneBack {
  bad: DeployedRelease;
  good: DeployedRelease;
  reason: string;
  at: Date;
}

/** Tells the registry that a release was taken back after its commit. */
export async function tellGoneBack(
  { bad, good, reason, at }: GoneBack,
  parts: ReportParts,
  call: Call,
): Promise<void> {
  const { mode: command, host } = parts;
  const about = { command, host, at };
  await tell({ tag: bad.tag, identity: bad.identity, ...about, error: reason }, parts, call);
  await tell({ tag: good.tag, identity: good.identity, ...about, error: undefined }, parts, call);
}

/** A full disk keeps the note from being written: then the next agent tells of it again. */
async function noteTold({ ledger, logger, recorded }: ReportParts): Promise<void> {
  if (!ledger.state.untold) return;
  await recorded?.();
  try {
    await ledger.update(forgetUntold);
  } catch (error) {
    logger.error("the ledger could not be written", { error });
  }
}

/** What is known beforehand; the duration is that until the call. */
function deploymentOf(
  { tag, artifact }: Pick<Choice, "tag" | "artifact">,
  { ledger, clock }: ReportParts,
): () => Omit<Deployment, "digest" | "directory"> {
  const startedAt = clock.now();
  const began = performance.now();
  const previousTag = ledger.state.active?.tag;
  const by = ledger.state.attempt?.by;
  const { name, identity } = artifact;
  return () => ({
    ...{ tag, previousTag, artifact: name, identity, startedAt, by },
    durationMs: Math.round(performance.now() - began),
  });
}

async function tell(
  report: DeploymentReport,
  { registry, logger }: Pick<ReportParts, "registry" | "logger">,
  call: Call,
): Promise<void> {
  if (registry.report === undefined) return;
  const { tag } = report;
  const what = "the report of a deployment";
  try {
    await withGrace(what, lastReportMs, call, (last) =>
      withTimeout(what, reportTimeoutMs, last, async (each) => registry.report?.(report, each)),
    );
    // Of a failure only some registries take note.
    logger[report.error === undefined ? "info" : "debug"]("Report shipping", { tag });
  } catch (error) {
    logger.warn("Report shipping failure", { tag, error });
  }
}
