import type { Call } from "../../base/call.ts";
import { DewyError } from "../../base/errors.ts";

/** One thing that has to be well for the registry to serve. */
export interface Check {
  /** As Distribution names it: what is checked, such as a file or an address. */
  name: string;
  intervalMs: number;
  /** So many failures in a row make it ill; 0 is the same as 1. */
  threshold: number;
  /** @throws whatever says why it is not well */
  run(call: Call): Promise<void>;
}

export class HealthError extends DewyError<"UNHEALTHY"> {
  constructor(message: string, cause?: unknown) {
    super("UNHEALTHY", message, { cause });
  }
}
