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
  const limited = new AbortController();
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    limited.abort();
  }, timeoutMs);
  // By hand: `AbortSignal.any` leaves something on `signal` each time, and that one lives for months.
  const passOn = () => limited.abort(signal.reason);
  if (signal.aborted) passOn();
  signal.addEventListener("abort", passOn, { once: true });
  try {
    return await work({ signal: limited.signal });
  } catch (error) {
    if (!expired || signal.aborted) throw error;
    throw new TimeoutError("TIMEOUT", `${what} took longer than ${timeoutMs / 1000} s`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", passOn);
  }
}

/**
 * Runs `work`, which is to be finished although the outer call ends, with one that ends `graceMs`
 * later than that.
 *
 * @throws {TimeoutError} naming `what`, when it was the grace that ran out.
 */
export async function withGrace<Result>(
  what: string,
  graceMs: number,
  { signal }: Call,
  work: (call: Call) => Promise<Result>,
): Promise<Result> {
  const limited = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    const message = `${what} was not over ${graceMs / 1000} s after dewy was told to end`;
    timer = setTimeout(() => limited.abort(new TimeoutError("TIMEOUT", message)), graceMs);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  try {
    return await work(limited);
  } catch (error) {
    throw isEchoOf(limited.signal, error) ? limited.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", begin);
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

/**
 * Settles as `work` does, or rejects as soon as `signal` aborts, for a source that does not listen to
 * it. Not by racing each chunk against one promise of the signal: that promise would hold all of them.
 */
export function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const forget = () => signal.removeEventListener("abort", stop);
    work.then(resolve, reject).finally(forget);
  });
}
