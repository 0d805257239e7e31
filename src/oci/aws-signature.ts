import { createHash, createHmac } from "node:crypto";
import { Secret } from "../base/secret.ts";

export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface AwsRequest {
  url: URL;
  service: string;
  region: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

/**
 * The headers that sign a POST to the root of an AWS service (IAM User Guide, "AWS Signature Version
 * 4 for API requests").
 */
export function awsSignature(
  { url, service, region, headers, body }: AwsRequest,
  { accessKeyId, secretAccessKey, sessionToken }: AwsKeys,
  now: Date,
): Record<string, string | Secret> {
  const time = now.toISOString().replace(/[:-]|\.\d+/g, "");
  const token = sessionToken ? { "x-amz-security-token": sessionToken } : {};
  const signed = { ...headers, host: url.host, "x-amz-date": time, ...token };
  const lines = Object.entries(signed).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = lines.map(([name]) => name).join(";");
  const canonical = [
    ...["POST", "/", ""],
    ...lines.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    ...["", names, sha256(body)],
  ].join("\n");
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const key = scope
    .split("/")
    .reduce<string | Buffer>((parent, part) => hmac(parent, part), `AWS4${secretAccessKey}`);
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const signature = hmac(key, text).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return {
    ...headers,
    "x-amz-date": time,
    authorization: new Secret(authorization),
    ...(sessionToken ? { "x-amz-security-token": new Secret(sessionToken) } : {}),
  };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();
