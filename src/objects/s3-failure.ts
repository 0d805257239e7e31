import { BytesError } from "../base/bytes.ts";
import { DewyError } from "../base/errors.ts";
import { retryAfterMs } from "../base/retry-after.ts";
import { ObjectStoreError } from "./object-store.ts";

type Code = ObjectStoreError["code"];
type Sentence = [code: Code, message: string, hint: string];

interface Asked {
  bucket: string;
  region: string;
  access: "read" | "write";
  now: Date;
}

/**
 * Says in our words what the SDK threw; `DewyError`s of our own client come through as they are.
 * The server's message may quote what was sent, so it is kept as the cause only.
 */
export function s3Failure(error: unknown, asked: Asked): DewyError {
  if (error instanceof BytesError) {
    return new ObjectStoreError("INVALID_ANSWER", "the answer is longer than any of S3's", {
      cause: error,
      hint: "check the endpoint, and what a proxy before it answers",
    });
  }
  if (error instanceof DewyError) return error;
  const { status, headers } = answerIn(error);
  const name = error instanceof Error ? error.name : "";
  const [code, message, hint] =
    namedSentences(asked, headers["x-amz-bucket-region"])[name] ?? sentenceFor(status, name, asked);
  return new ObjectStoreError(code, message, {
    cause: error,
    hint,
    retryAfterMs: retryAfterMs(headers, asked.now),
  });
}

/** The HTTP status of what the SDK threw; 0 when there was no answer. */
export const statusOf = (error: unknown): number => answerIn(error).status;

function namedSentences({ bucket, region }: Asked, home: string | undefined) {
  const credentials =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the host a role";
  const elsewhere: Sentence = [
    "NOT_FOUND",
    `the bucket ${bucket} is not in the region ${region}`,
    home ? `write s3://${home}/${bucket}` : "write the region of the bucket: s3://region/bucket",
  ];
  const refused: Sentence = [
    "UNAUTHORIZED",
    "the server does not accept the credentials",
    `check them: ${credentials}`,
  ];
  const none: Sentence = ["UNAUTHORIZED", "there are no credentials for it", credentials];
  const sentences: Record<string, Sentence | undefined> = {
    CredentialsProviderError: none,
    ProviderError: none,
    TokenProviderError: none,
    InvalidAccessKeyId: refused,
    InvalidToken: refused,
    SignatureDoesNotMatch: refused,
    ExpiredToken: ["UNAUTHORIZED", "the credentials have expired", "sign in again, or renew them"],
    RequestTimeTooSkewed: [
      "UNAUTHORIZED",
      "the clocks of this host and of the server differ",
      "set the clock of this host",
    ],
    PermanentRedirect: elsewhere,
    AuthorizationHeaderMalformed: elsewhere,
    SlowDown: ["RATE_LIMITED", "it is asked too often", "raise --interval"],
  };
  return sentences;
}

const permissions = {
  read: "s3:ListBucket on the bucket and s3:GetObject on its objects",
  write: "s3:PutObject and s3:DeleteObject on the objects of the bucket",
};

function sentenceFor(status: number, name: string, { bucket, access }: Asked): Sentence {
  if (status === 401 || status === 403) {
    const message = `the credentials may not ${access} the bucket ${bucket} (${status})`;
    return ["UNAUTHORIZED", message, `allow these credentials ${permissions[access]}`];
  }
  if (status === 404) {
    return [
      "NOT_FOUND",
      `there is no bucket ${bucket}`,
      "check the bucket, region and endpoint in the URL",
    ];
  }
  if (status === 429) return ["RATE_LIMITED", "it is asked too often", "raise --interval"];
  if (status >= 500) return ["UNAVAILABLE", `it answers with ${status}`, "try again later"];
  const said = [status || "no status", name].filter(Boolean).join(", ");
  return [
    "INVALID_ANSWER",
    `the answer is not one of S3 (${said})`,
    "check the endpoint, and what a proxy before it answers",
  ];
}

interface Answer {
  status: number;
  headers: Readonly<Record<string, string | undefined>>;
}

function answerIn(error: unknown): Answer {
  const { $metadata, $response } = (error ?? {}) as {
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Answer["headers"] };
  };
  return {
    status: $metadata?.httpStatusCode ?? $response?.statusCode ?? 0,
    headers: $response?.headers ?? {},
  };
}
