import { DewyError } from "./errors.ts";

/** What every wait is given: the signal that ends it. */
export interface Call {
  signal: AbortSignal;
}

/** A wait that took longer than it was allowed to. */
export class TimeoutError extends DewyError<"TIMEOUT"> {}

/**
 * Runs `work` with a call that also ends after `timeoutMs`.
 *
 * @throws {TimeoutError} naming `what`, when it was the time that ran out and not the outer call.
 */
export async function withTimeout<Result>(
  what: string,
  timeoutMs: number,
  { signal }: Call,
  work: (call: Call) => Promise<Result>,
): Promise<Result> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  const both = AbortSignal.any([signal, limit.signal]);
  try {
    return await work({ signal: both });
  } catch (error) {
    if (limit.signal.aborted && !signal.aborted) {
      throw new TimeoutError("TIMEOUT", `${what} took longer than ${timeoutMs / 1000} s`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether `error` only says that `signal` was aborted.
 *
 * Node's APIs disagree: some reject with the reason itself, others with a new `AbortError` whose
 * `cause` is the reason.
 */
export function isEchoOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason) return true;
  return error instanceof Error && (error.name === "AbortError" || error.cause === signal.reason);
}
