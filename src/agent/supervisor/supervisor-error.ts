import { LogTailError } from "../log-tail-error.ts";

export class SupervisorError extends LogTailError<
  | "PORT_IN_USE"
  | "PORT_FORBIDDEN"
  | "LISTEN_FAILED"
  | "COMMAND_NOT_FOUND"
  | "NOT_EXECUTABLE"
  | "START_FAILED"
  | "SPAWN_FAILED"
  | "STOPPED"
> {}
