import { DewyError, type ErrorDetails } from "../../base/errors.ts";
import { HttpError } from "../../base/http-error.ts";
import { ObjectStoreError } from "../../objects/object-store.ts";
import { OciError, type OciErrorCode } from "../../oci/error.ts";
import { ReleaseRegistryError } from "../release.ts";

type Code = ReleaseRegistryError["code"];

export function failure(
  code: Code,
  message: string,
  details: ErrorDetails & { retryAfterMs?: number | undefined } = {},
): ReleaseRegistryError {
  const error = new ReleaseRegistryError(code, message, details);
  error.retryAfterMs = details.retryAfterMs;
  return error;
}

const codeByOciCode: Partial<Record<OciErrorCode, Code>> = {
  UNAUTHORIZED: "UNAUTHORIZED",
  DENIED: "UNAUTHORIZED",
  TOOMANYREQUESTS: "RATE_LIMITED",
  NAME_UNKNOWN: "NOT_FOUND",
  BLOB_UNKNOWN: "NOT_FOUND",
  MANIFEST_UNKNOWN: "NOT_FOUND",
  MANIFEST_INVALID: "INVALID_ANSWER",
  DIGEST_INVALID: "INVALID_ANSWER",
  SIZE_INVALID: "INVALID_ANSWER",
  RANGE_INVALID: "INVALID_ANSWER",
};

/** Runs `work`, and says what its client threw in the words of the port. */
export async function translated<Result>(name: string, work: () => Promise<Result>) {
  try {
    return await work();
  } catch (error) {
    throw inOurWords(name, error);
  }
}

/** As {@link translated}, for what comes one by one. */
export async function* translatedEach<Item>(
  name: string,
  items: AsyncIterable<Item>,
): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    throw inOurWords(name, error);
  }
}

function inOurWords(name: string, error: unknown): unknown {
  if (error instanceof ReleaseRegistryError || !(error instanceof DewyError)) return error;
  const isAnswer = error instanceof OciError || error instanceof ObjectStoreError;
  if (!isAnswer && !(error instanceof HttpError)) return error;
  const code = error instanceof OciError ? codeByOciCode[error.code] : codeOf(error);
  return failure(code ?? "UNAVAILABLE", `${name}: ${error.message}`, {
    cause: error,
    hint: error.hint,
    retryAfterMs: isAnswer ? error.retryAfterMs : undefined,
  });
}

const codeOf = (error: ObjectStoreError | HttpError): Code | undefined =>
  error instanceof ObjectStoreError ? error.code : undefined;
