import { expect, it } from "vitest";
import { Secret } from "../base/secret.ts";
import { awsSignature } from "./aws-signature.ts";

const keys = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const request = {
  url: new URL("https://example.amazonaws.com/"),
  service: "service",
  region: "us-east-1",
  headers: {},
  body: "",
};
const now = new Date("2015-08-30T12:36:00Z");

// "post-vanilla" and "post-x-www-form-urlencoded" of Amazon's test suite for Signature Version 4.
it.each([
  [{}, "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
  [
    { "content-type": "application/x-www-form-urlencoded" },
    "Param1=value1",
    "content-type;host;x-amz-date",
    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
  ],
])("signs the headers %j and the body %j as Amazon does", (headers, body, names, signature) => {
  const { authorization } = awsSignature({ ...request, headers, body }, keys, now);

  expect(authorization instanceof Secret && authorization.reveal()).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
  );
});

it("sends and signs the token of temporary keys, and shows none of it", () => {
  const signed = awsSignature(request, { ...keys, sessionToken: "s3cret" }, now);

  expect(signed["x-amz-security-token"]).toBeInstanceOf(Secret);
  expect(String(Object.values(signed))).not.toContain("s3cret");
  expect(signed.authorization instanceof Secret && signed.authorization.reveal()).toContain(
    "SignedHeaders=host;x-amz-date;x-amz-security-token,",
  );
});
