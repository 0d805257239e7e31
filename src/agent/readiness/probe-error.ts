import { DewyError } from "../../base/errors.ts";

/**
 * `NO_ANSWER`, `WRONG_ANSWER`: of one probe. `NOT_READY`: no probe succeeded in time. `UNHEALTHY`: it
 * failed while it had the traffic already.
 */
export class ProbeError extends DewyError<
  "NO_ANSWER" | "WRONG_ANSWER" | "NOT_READY" | "UNHEALTHY"
> {
  /** What the app has written last. */
  logTail: readonly string[] = [];
}
