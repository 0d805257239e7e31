import { DewyError } from "../base/errors.ts";
import { ContainerError } from "./containers/runtime.ts";
import { ArchiveError } from "./deploy/archives/archive.ts";
import { FetchError } from "./deploy/fetch-error.ts";
import { HookError } from "./deploy/hook.ts";
import { GroupError } from "./groups/group-error.ts";
import { CutOffError } from "./ledger/attempt.ts";
import { LogTailError } from "./log-tail-error.ts";
import { ProbeError } from "./readiness/probe-error.ts";
import { SupervisorError } from "./supervisor/supervisor-error.ts";
import { VerifyError } from "./verify/verify-error.ts";

const faults: readonly [abstract new (...values: never[]) => DewyError, readonly string[]][] = [
  [FetchError, ["DIGEST_MISMATCH", "TOO_LARGE"]],
  [VerifyError, ["MISSING", "MISMATCH", "UNTRUSTED", "REPLAYED", "TOO_OLD", "UNUSABLE"]],
  [ArchiveError, ["DAMAGED", "REFUSED", "TOO_LARGE"]],
  [HookError, ["HOOK_FAILED"]],
  [ProbeError, ["NOT_READY", "UNHEALTHY"]],
  [ContainerError, ["NOT_STARTED"]],
  [CutOffError, ["CUT_OFF"]],
  [SupervisorError, ["START_FAILED", "COMMAND_NOT_FOUND", "NOT_EXECUTABLE"]],
];

/**
 * Whether a deployment failed by the fault of its release, so that the next try will fail alike: and
 * not by that of a registry, a network or a disk, which may be well again tomorrow.
 */
export function isReleaseFault(error: unknown): boolean {
  if (error instanceof GroupError) return isReleaseFault(error.cause);
  if (!(error instanceof DewyError)) return false;
  return faults.some(([kind, codes]) => error instanceof kind && codes.includes(error.code));
}

/** Whether the release has failed in a way that harms what is in service: that is not tried again. */
export function isFinalFault(error: unknown): boolean {
  if (error instanceof GroupError) return isFinalFault(error.cause);
  if (error instanceof CutOffError) return true;
  return error instanceof ProbeError && error.code === "UNHEALTHY";
}

/** What was written last before it failed, as far as the error brings it along. */
export function logTailOf(error: unknown): string[] {
  if (error instanceof GroupError) return logTailOf(error.cause);
  return error instanceof LogTailError ? [...error.logTail] : [];
}
