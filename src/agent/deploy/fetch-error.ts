import { DewyError } from "../../base/errors.ts";

/**
 * `CUT`: the source broke off, or could not be opened, however often it was tried; what has come is
 * kept for the next time. `TRUNCATED`: it ended early. `DIGEST_MISMATCH`: other bytes than promised.
 * `UNWRITABLE`: the system would not let it be stored.
 */
export class FetchError extends DewyError<
  "CUT" | "TRUNCATED" | "TOO_LARGE" | "DIGEST_MISMATCH" | "DISK_FULL" | "UNWRITABLE"
> {}
