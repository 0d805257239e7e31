import { DewyError } from "../../base/errors.ts";

/**
 * What a person asked of the agent, and it did not do. `NO_AGENT`: there is none; `REFUSED`: as things
 * are, that makes no sense; `FAILED`: it was tried.
 */
export class ControlError extends DewyError<
  "NO_AGENT" | "FORBIDDEN" | "REFUSED" | "FAILED" | "INVALID_ANSWER"
> {}
