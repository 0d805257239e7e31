import { bodyOf, serve } from "../base/local-server.fake.ts";
import { Secret } from "../base/secret.ts";
import { type AwsKeys, awsSignature } from "./aws-signature.ts";

/** Amazon's half of signing in to ECR: hands out tokens for signed requests, as strictly as it does. */
export interface FakeEcr {
  url: URL;
  /** Who may have a token. */
  keys: AwsKeys;
  /** What was asked for: service, region and operation. */
  requests: string[];
  /** The last one that was handed out. */
  password: string;
  refuse: { status: number; type: string } | undefined;
  /** Answers instead of with a token. */
  nonsense: string | undefined;
}

export async function serveFakeEcr(now: () => Date): Promise<FakeEcr> {
  const { url } = await serve(async (request, response) => {
    const { authorization = "", "x-amz-target": target = "" } = request.headers;
    const [, , region = "", service = ""] =
      /Credential=[^/]+\/(\d+)\/([\w-]+)\/([\w-]+)\/aws4_request/.exec(authorization) ?? [];
    fake.requests.push(`${service} ${region} ${target}`);
    const body = String(await bodyOf(request));
    const type = String(request.headers["content-type"]);
    const headers = { "content-type": type, "x-amz-target": String(target) };
    const signed = awsSignature({ url, service, region, headers, body }, fake.keys, now());
    const isSigned =
      signed.authorization instanceof Secret && signed.authorization.reveal() === authorization;
    const { refuse } = fake;
    if (refuse) response.writeHead(refuse.status).end(JSON.stringify({ __type: refuse.type }));
    else if (!isSigned) response.writeHead(400).end('{"__type":"InvalidSignatureException"}');
    else response.end(fake.nonsense ?? tokenFor(service));
  });
  const fake: FakeEcr = {
    url,
    keys: { accessKeyId: "AKID", secretAccessKey: "s3cret-key" },
    requests: [],
    password: "",
    refuse: undefined,
    nonsense: undefined,
  };
  return fake;

  function tokenFor(service: string): string {
    fake.password = `s3cret-${fake.requests.length}`;
    const authorizationToken = Buffer.from(`AWS:${fake.password}`).toString("base64");
    const data = { authorizationToken, expiresAt: now().getTime() / 1000 + 12 * 3600 };
    return JSON.stringify({ authorizationData: service === "ecr" ? [data] : data });
  }
}
