import { expect, it } from "vitest";
import { BytesError } from "../../base/bytes.ts";
import { digestOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { AuthError } from "../auth/authenticator.ts";
import { Challenged } from "../auth/gate.ts";
import { MissingReferences } from "../images/manifest-references.ts";
import { StorageError } from "../storage-driver.ts";
import { answerTo } from "./api-error.ts";

it.each([
  [new OciError("BLOB_UNKNOWN", "no"), 404, "BLOB_UNKNOWN"],
  [new OciError("MANIFEST_INVALID", "no", { status: 413 }), 413, "MANIFEST_INVALID"],
  [new BytesError("TOO_LARGE", "no"), 413, "SIZE_INVALID"],
  [new StorageError("NO_SPACE", "/secret/path"), 507, "UNAVAILABLE"],
  [new StorageError("READ_ONLY", "/secret/path"), 503, "UNAVAILABLE"],
  [new StorageError("UNAVAILABLE", "/secret/path"), 503, "UNAVAILABLE"],
  [new StorageError("NOT_FOUND", "/secret/path"), 404, "UNKNOWN"],
  [new StorageError("INVALID_OFFSET", "/secret/path"), 416, "RANGE_INVALID"],
  [new TypeError("/secret/path"), 500, "UNKNOWN"],
])("answers %s with %i %s, and nothing that is ours alone", (error, status, code) => {
  const answer = answerTo(error);

  expect(answer.status).toBe(status);
  expect(JSON.parse(String(answer.body))).toMatchObject({ errors: [{ code }] });
  expect(answer.body).not.toContain("secret");
});

it("answers with an error for each missing reference", () => {
  const missing = [digestOf("one"), digestOf("other")];

  const answer = answerTo(new MissingReferences(missing));

  expect(JSON.parse(String(answer.body)).errors.map(({ detail }: never) => detail)).toEqual(
    missing,
  );
});

it("tells a visitor how to get in, in Distribution's words", () => {
  const challenge = { scheme: "basic", parameters: { realm: 'a "quoted" realm' } };
  const wish = { type: "repository", name: "a", action: "pull" } as const;

  const { status, headers, body } = answerTo(
    new Challenged("CREDENTIALS_NEEDED", challenge, [wish]),
  );

  expect(status).toBe(401);
  expect(headers["www-authenticate"]).toBe('Basic realm="a \\"quoted\\" realm"');
  expect(JSON.parse(String(body))).toEqual({
    errors: [
      {
        code: "UNAUTHORIZED",
        message: "authentication required",
        detail: [{ Type: "repository", Class: "", Name: "a", Action: "pull" }],
      },
    ],
  });
});

it.each([
  [new AuthError("DENIED", "no"), 403, "DENIED", undefined],
  [new AuthError("TOO_MANY_FAILURES", "no", { retryAfterMs: 1_001 }), 429, "TOOMANYREQUESTS", "2"],
  [new AuthError("UNAVAILABLE", "/secret/path"), 503, "UNAVAILABLE", undefined],
  [new OciError("TOOMANYREQUESTS", "no", { retryAfterMs: 1 }), 429, "TOOMANYREQUESTS", "1"],
])("answers a refusal with %i %s, and when to come back", (error, status, code, retryAfter) => {
  const answer = answerTo(error);

  expect(answer.status).toBe(status);
  expect(answer.headers["retry-after"]).toBe(retryAfter);
  expect(JSON.parse(String(answer.body))).toMatchObject({ errors: [{ code }] });
  expect(answer.body).not.toContain("secret");
});
