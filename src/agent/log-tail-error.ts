import { DewyError } from "../base/errors.ts";

/** A failure of something that writes: an app, a container, a hook. */
export class LogTailError<Code extends string = string> extends DewyError<Code> {
  /** What it has written last, without the agent's own secrets. */
  logTail: readonly string[] = [];
}
