import type { Call } from "../../base/call.ts";
import type { Start } from "../deploy/activate.ts";

/** What taking a release into service means for one kind of app. */
export interface RunningMode {
  /** Starts what `current` leads to, beside what is in service. */
  start: Start;
  /** Puts what `current` names into service when nothing is. */
  keepRunning(call: Call): Promise<void>;
  /** Starts the same release again, where there is something to start. */
  restart(call: Call): Promise<void>;
  /** Takes the app along: resolves when it has drained. */
  close(): Promise<void>;
}
