import { type Call, isEchoOf, orAborted, TimeoutError, withTimeout } from "../../base/call.ts";
import { OciError } from "../../oci/error.ts";

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
  { name, patienceMs }: { name: string; patienceMs: number },
  call: Call,
): Promise<(Value & { warning?: string }) | undefined> {
  try {
    return await withTimeout(name, patienceMs, call, ({ signal }) => orAborted(fresh, signal));
  } catch (error) {
    if (isEchoOf(call.signal, error) || isAbsence(error)) throw error;
    const isLate = error instanceof TimeoutError;
    const why = isLate ? "does not answer in time" : "cannot be asked";
    return { ...stored, warning: `${name} ${why}; this is what it said earlier` };
  }
}
