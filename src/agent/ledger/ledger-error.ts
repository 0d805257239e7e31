import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";

/** What is known of deployments cannot be written: nothing is deployed until it can be. */
export class LedgerError extends DewyError<"NOT_WRITTEN"> {}

export function unwritten(path: string, cause: unknown): LedgerError {
  const isFull = ["ENOSPC", "EDQUOT"].includes(systemCodeOf(cause) ?? "");
  const why = isFull ? "the disk is full" : messageOf(cause);
  return new LedgerError("NOT_WRITTEN", `${path} cannot be written: ${why}`, {
    cause,
    hint: isFull
      ? "free some space there; the app goes on meanwhile"
      : "let the agent's user write there; the app goes on meanwhile",
  });
}
