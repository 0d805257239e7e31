import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import { DewyError } from "../../base/errors.ts";
import { ObjectContentError } from "../../objects/object-content.ts";
import { ObjectStoreError } from "../../objects/object-store.ts";
import { CacheError } from "../cache.ts";

const waitMs = 20_000;

/** Runs `work` with a deadline, and says what failed in the words of the port. */
export async function inWords<Result>(
  name: string,
  call: Call,
  work: (call: Call) => Promise<Result>,
): Promise<Result> {
  call.signal.throwIfAborted();
  try {
    return await withTimeout("the answer", waitMs, call, work);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    throw cacheErrorFrom(name, error);
  }
}

export function cacheErrorFrom(name: string, error: unknown): unknown {
  if (error instanceof CacheError || error instanceof ObjectContentError) return error;
  if (!(error instanceof DewyError)) return error;
  const isRefusal = error instanceof ObjectStoreError && error.code === "UNAUTHORIZED";
  const { message, hint } = error;
  return new CacheError(isRefusal ? "UNAUTHORIZED" : "UNAVAILABLE", `${name}: ${message}`, {
    cause: error,
    hint,
  });
}
