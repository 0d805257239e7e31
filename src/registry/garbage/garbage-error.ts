import { DewyError } from "../../base/errors.ts";

/**
 * Another collection is at work on this storage, what this one has noted cannot be read again, or the
 * clock no longer tells what is used from what is not.
 */
export class GarbageError extends DewyError<"BUSY" | "MARKS_LOST" | "CLOCK_SET_BACK"> {}
