import { DewyError } from "../../base/errors.ts";

export class SupervisorError extends DewyError<
  | "PORT_IN_USE"
  | "PORT_FORBIDDEN"
  | "LISTEN_FAILED"
  | "COMMAND_NOT_FOUND"
  | "NOT_EXECUTABLE"
  | "START_FAILED"
  | "SPAWN_FAILED"
  | "STOPPED"
> {
  /** What the app has written last, where it was started. */
  logTail: readonly string[] = [];
}
