import { BytesError } from "../../base/bytes.ts";
import { OciError } from "../../oci/error.ts";
import { MissingReferences } from "../images/manifest-references.ts";
import { StorageError } from "../storage-driver.ts";
import { type Answer, type Headers, jsonAnswer } from "./exchange.ts";

/** The one place where what went wrong becomes what the client is told; never more than it may know. */
export function answerTo(error: unknown): Answer {
  if (error instanceof OciError) {
    const errors = error instanceof MissingReferences ? error.each : [error];
    return jsonAnswer(error.status, { errors }, waitOf(error));
  }
  if (error instanceof BytesError) {
    return jsonAnswer(413, { errors: [{ code: "SIZE_INVALID", message: error.message }] });
  }
  const [status, code, message] = internalFailure(error);
  return jsonAnswer(status, { errors: [{ code, message }] });
}

function waitOf({ retryAfterMs }: OciError): Headers {
  return retryAfterMs === undefined ? {} : { "retry-after": Math.ceil(retryAfterMs / 1000) };
}

function internalFailure(error: unknown): [status: number, code: string, message: string] {
  if (error instanceof StorageError && error.code === "NO_SPACE") {
    return [507, "UNAVAILABLE", "the registry's storage is full"];
  }
  if (error instanceof StorageError && ["READ_ONLY", "UNAVAILABLE"].includes(error.code)) {
    return [503, "UNAVAILABLE", "the registry's storage cannot be used now"];
  }
  if (error instanceof StorageError && error.code === "INVALID_OFFSET") {
    return [416, "RANGE_INVALID", "another program wrote to this upload; ask where it ends"];
  }
  if (error instanceof StorageError && error.code === "NOT_FOUND") {
    return [404, "UNKNOWN", "this was deleted a moment ago"];
  }
  return [500, "UNKNOWN", "the registry failed; its log says why"];
}
