import type { HttpAnswer } from "../base/http-client.ts";
import { retryAfterMs } from "../base/retry-after.ts";
import type { GcsAccess } from "./gcs-credentials.ts";
import { ObjectStoreError } from "./object-store.ts";

type Sentence = [code: ObjectStoreError["code"], message: string, hint: string];

interface Asked {
  bucket: string;
  access: GcsAccess;
}

export function gcsFailure(
  { status, headers }: HttpAnswer,
  asked: Asked,
  now: Date,
): ObjectStoreError {
  const [code, message, hint] = sentenceFor(status, asked);
  return new ObjectStoreError(code, message, { hint, retryAfterMs: retryAfterMs(headers, now) });
}

export function notJson(cause: unknown): ObjectStoreError {
  return new ObjectStoreError("INVALID_ANSWER", "the answer is not one of Cloud Storage", {
    cause,
    hint: "check STORAGE_EMULATOR_HOST, and what a proxy before it answers",
  });
}

function sentenceFor(status: number, { bucket, access }: Asked): Sentence {
  if (status === 401) {
    const hint =
      "renew the key that GOOGLE_APPLICATION_CREDENTIALS names, or sign in again by gcloud";
    return ["UNAUTHORIZED", "the server does not accept the credentials (401)", hint];
  }
  if (status === 403) {
    const [verb, role] = access === "read_only" ? ["read", "Viewer"] : ["write", "User"];
    const hint = `give the account the role Storage Object ${role} on the bucket`;
    return ["UNAUTHORIZED", `the account may not ${verb} the bucket ${bucket} (403)`, hint];
  }
  if (status === 404) {
    const hint =
      "check the URL; with a project it is gs://project/bucket/prefix, without one gs://bucket/prefix";
    return ["NOT_FOUND", `there is no bucket ${bucket}`, hint];
  }
  if (status === 429) return ["RATE_LIMITED", "it is asked too often", "raise --interval"];
  if (status >= 500) return ["UNAVAILABLE", `it answers with ${status}`, "try again later"];
  return [
    "INVALID_ANSWER",
    `it answers with ${status}`,
    "check STORAGE_EMULATOR_HOST, and what a proxy before it answers",
  ];
}
