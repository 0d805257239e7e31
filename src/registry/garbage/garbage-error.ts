import { DewyError } from "../../base/errors.ts";

/** Another collection is at work on this storage, or what this one has noted cannot be read again. */
export class GarbageError extends DewyError<"BUSY" | "MARKS_LOST"> {}
