import { BytesError } from "../../base/bytes.ts";
import { formatChallenge } from "../../oci/challenge.ts";
import { OciError } from "../../oci/error.ts";
import { AuthError, type Wish } from "../auth/authenticator.ts";
import { Challenged } from "../auth/gate.ts";
import { MissingReferences } from "../images/manifest-references.ts";
import { StorageError } from "../storage-driver.ts";
import { type Answer, type Headers, jsonAnswer } from "./exchange.ts";

/** The one place where what went wrong becomes what the client is told; never more than it may know. */
export function answerTo(error: unknown): Answer {
  if (error instanceof OciError) {
    const errors = error instanceof MissingReferences ? error.each : [error];
    return jsonAnswer(error.status, { errors }, retryAfter(error.retryAfterMs));
  }
  if (error instanceof Challenged) return challengeOf(error);
  if (error instanceof AuthError) return refusalOf(error);
  if (error instanceof BytesError) {
    return jsonAnswer(413, { errors: [{ code: "SIZE_INVALID", message: error.message }] });
  }
  const [status, code, message] = internalFailure(error);
  return jsonAnswer(status, { errors: [{ code, message }] });
}

/** As Distribution words it; `docker login` shows the message. */
function challengeOf({ challenge, message, wishes }: Challenged): Answer {
  const errors = [{ code: "UNAUTHORIZED", message, detail: detailOf(wishes) }];
  return jsonAnswer(401, { errors }, { "www-authenticate": formatChallenge(challenge) });
}

function detailOf(wishes: readonly Wish[]) {
  if (wishes.length === 0) return null;
  return wishes.map(({ type, name, action }) => ({
    Type: type,
    Class: "",
    Name: name,
    Action: action,
  }));
}

function refusalOf({ code, message, retryAfterMs }: AuthError): Answer {
  const headers = retryAfter(retryAfterMs);
  if (code === "DENIED") return jsonAnswer(403, { errors: [{ code: "DENIED", message }] }, headers);
  if (code === "TOO_MANY_FAILURES") {
    return jsonAnswer(429, { errors: [{ code: "TOOMANYREQUESTS", message }] }, headers);
  }
  const error = { code: "UNAVAILABLE", message: "the registry cannot check who you are now" };
  return jsonAnswer(503, { errors: [error] }, headers);
}

function retryAfter(ms: number | undefined): Headers {
  return ms === undefined ? {} : { "retry-after": String(Math.ceil(ms / 1000)) };
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
