import type { Call } from "../../base/call.ts";
import type { ReplicasView } from "../containers/replicas-view.ts";
import type { Start } from "../deploy/activate.ts";
import type { Prepare } from "../deploy/deploy.ts";

/** What taking a release into service means for one kind of app. */
export interface RunningMode {
  /** Starts what `current` leads to, beside what is in service. */
  start: Start;
  /** Puts what `current` names into service when nothing is. */
  keepRunning(call: Call): Promise<void>;
  /** Puts what `current` names in place of what is in service, without a proof, until it runs. */
  goBack(tag: string, call: Call): Promise<void>;
  /** From now on `listener` is told of each death of what is in service, `how` it died. */
  onDeath(listener: (how: string) => void): void;
  /** What the newest process has written last; never rejects. */
  lastWords(): Promise<readonly string[]>;
  /** Starts the same release again, where there is something to start. */
  restart(call: Call): Promise<void>;
  /** What can be seen of its containers, where it has some. */
  view?: ReplicasView;
  /** Makes a release's directory, where that is not done by unpacking an artifact. */
  prepare?: Prepare;
  /** Removes what old releases have left outside their directories. */
  prune?(): Promise<void>;
  /** Takes the app along: resolves when it has drained. */
  close(): Promise<void>;
}
