import type { StaleDraftOptions, StorageChoice } from "../storage/index.ts";
import { StorageError } from "../storage-driver.ts";
import type { CollectOptions } from "./collect.ts";
import { GarbageError } from "./garbage-error.ts";
import type { GarbageEvent, GarbageTotals } from "./garbage-event.ts";
import type { ScrubEvent, ScrubOptions, ScrubTotals } from "./scrub.ts";

/** What a thread can be asked to do. */
export interface Works {
  collect: {
    settings: Omit<CollectOptions, "report" | "clock">;
    event: GarbageEvent;
    totals: GarbageTotals;
  };
  drafts: { settings: StaleDraftOptions; event: never; totals: number };
  scrub: { settings: Omit<ScrubOptions, "report">; event: ScrubEvent; totals: ScrubTotals };
}

export type WorkName = keyof Works;

export type ThreadWork<Name extends WorkName> = {
  [Each in Name]: {
    name: Each;
    choice: StorageChoice;
    access: "read" | "write";
    settings: Works[Each]["settings"];
  };
}[Name];

/** What the thread says; the only thing it is told is to stop, by a message that says nothing else. */
export type ThreadMessage<Event = unknown, Totals = unknown> =
  | { is: "events"; events: Event[] }
  | { is: "ended"; totals: Totals }
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
