import type { StorageChoice } from "../storage/index.ts";
import { StorageError } from "../storage-driver.ts";
import type { CollectOptions } from "./collect.ts";
import { GarbageError } from "./garbage-error.ts";
import type { GarbageEvent, GarbageTotals } from "./garbage-event.ts";

/** What a thread is to collect. */
export interface CollectionTask {
  choice: StorageChoice;
  settings: Omit<CollectOptions, "report" | "clock">;
}

/** What the thread says; the only thing it is told is to stop, by a message that says nothing else. */
export type CollectionMessage =
  | { is: "events"; events: GarbageEvent[] }
  | { is: "ended"; totals: GarbageTotals }
  | { is: "failed"; failure: ThrownFailure };

/** An error, as far as it can leave its thread. */
interface ThrownFailure {
  of: "storage" | "garbage" | "program";
  code: string;
  message: string;
  hint: string | undefined;
  stack: string | undefined;
}

export function failureOf(error: unknown): ThrownFailure {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof StorageError) {
    return { of: "storage", code: error.code, message, hint: error.hint, stack };
  }
  if (error instanceof GarbageError) {
    return { of: "garbage", code: error.code, message, hint: error.hint, stack };
  }
  return { of: "program", code: "", message, hint: undefined, stack };
}

/** The error that `failure` was. */
export function errorOf({ of, code, message, hint, stack }: ThrownFailure): Error {
  const error =
    of === "storage"
      ? new StorageError(code as StorageError["code"], message, { hint })
      : of === "garbage"
        ? new GarbageError(code as GarbageError["code"], message, { hint })
        : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
