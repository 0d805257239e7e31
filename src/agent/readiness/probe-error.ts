import { LogTailError } from "../log-tail-error.ts";

/**
 * `NO_ANSWER`, `WRONG_ANSWER`: of one probe. `NOT_READY`: no probe succeeded in time. `UNHEALTHY`: it
 * failed while it had the traffic already.
 */
export class ProbeError extends LogTailError<
  "NO_ANSWER" | "WRONG_ANSWER" | "NOT_READY" | "UNHEALTHY"
> {}
