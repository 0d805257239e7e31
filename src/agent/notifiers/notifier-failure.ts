import type { ErrorDetails } from "../../base/errors.ts";
import { NotifierError } from "../notifier.ts";

export function failure(
  code: NotifierError["code"],
  message: string,
  details: ErrorDetails & { retryAfterMs?: number | undefined } = {},
): NotifierError {
  const error = new NotifierError(code, message, details);
  error.retryAfterMs = details.retryAfterMs;
  return error;
}
