import { type Call, isEchoOf, orAborted, TimeoutError, withTimeout } from "../../base/call.ts";
import { OciError } from "../../oci/error.ts";
import type { Upstream } from "./upstream.ts";

/** Whether a registry has said that there is no such thing. */
export function isAbsence(error: unknown): boolean {
  return error instanceof OciError && error.status === 404;
}

/**
 * What `fresh` resolves to, or `stored` with a warning when it fails, or takes longer than
 * `patienceMs`: an outage there is not to be one here.
 */
export async function orStale<Value extends object>(
  fresh: Promise<Value | undefined>,
  stored: Value,
  { upstream, patienceMs }: { upstream: Upstream; patienceMs: number },
  call: Call,
): Promise<(Value & { warning?: string }) | undefined> {
  const { name } = upstream;
  const waitMs = upstream.patience(patienceMs);
  try {
    return await withTimeout(name, waitMs, call, ({ signal }) => orAborted(fresh, signal));
  } catch (error) {
    if (isEchoOf(call.signal, error) || isAbsence(error)) throw error;
    const isLate = error instanceof TimeoutError;
    if (isLate) upstream.markLate();
    const why = isLate ? "does not answer in time" : "cannot be asked";
    return { ...stored, warning: `${name} ${why}; this is what it said earlier` };
  }
}
