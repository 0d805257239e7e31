import * as v from "valibot";
import { BytesError, collect } from "../base/bytes.ts";
import { type Call, orAborted, withTimeout } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError } from "../base/errors.ts";
import type { HttpAnswer, HttpClient } from "../base/http-client.ts";
import { type Expiring, openRenewed, type Renewed } from "../base/renewed.ts";
import { type AwsKeys, awsSignature } from "./aws-signature.ts";
import { type Credential, withPassword } from "./credential.ts";
import { type EcrService, ecrServiceOf } from "./ecr-service.ts";
import { OciError } from "./error.ts";

/** Amazon ECR's and ECR Public's "GetAuthorizationToken"; base64 of `AWS:password`. */
const Token = v.object({
  authorizationToken: v.pipe(v.string(), v.base64()),
  expiresAt: v.pipe(v.number(), v.minValue(0)),
});
const TokenAnswer = v.object({
  authorizationData: v.union([v.pipe(v.array(Token), v.minLength(1)), Token]),
});
const ErrorAnswer = v.object({ __type: v.string() });

const maximumAnswerBytes = 256 * 1024;
const chainTimeoutMs = 30_000;
/** A token is good for twelve hours. */
const marginMs = 15 * 60_000;
/** How long nothing is looked for again where nothing was found. */
const anonymousMs = 5 * 60_000;

export interface CloudParts {
  environment: Environment;
  http: HttpClient;
  clock: Clock;
}

/**
 * The credential for a registry of Amazon ECR: `AWS_ECR_PASSWORD`, or a token that is asked for with
 * the keys in the environment, else those that AWS's usual chain finds (profile, web identity,
 * container, instance). `undefined` for other hosts, and for public.ecr.aws without any keys.
 */
export function openAmazonCredentials(parts: CloudParts) {
  const tokens = new Map<string, Renewed<Credential | undefined>>();
  const readKeys = openKeys(parts.environment);

  return async (host: string, call: Call): Promise<Credential | undefined> => {
    const { AWS_ECR_PASSWORD: password } = parts.environment;
    const service = ecrServiceOf(host);
    if (service === undefined) return undefined;
    if (password) return withPassword("AWS", password);
    const known = tokens.get(host);
    if (known) return known.current(call);
    const fetch = (each: Call) => fetchToken({ ...parts, host, service, readKeys }, each);
    const token = openRenewed({ fetch, marginMs, clock: parts.clock });
    tokens.set(host, token);
    return token.current(call);
  };
}

type ReadKeys = (call: Call) => Promise<AwsKeys>;
interface TokenParts extends CloudParts {
  host: string;
  service: EcrService;
  readKeys: ReadKeys;
}

/** Whoever may not sign in to a public registry is as welcome as anybody. */
async function fetchToken(
  parts: TokenParts,
  call: Call,
): Promise<Expiring<Credential | undefined>> {
  try {
    return await askForToken(parts, call);
  } catch (error) {
    call.signal.throwIfAborted();
    if (!parts.service.isPublic || error instanceof ConfigError) throw error;
    const nowMs = parts.clock.now().getTime();
    return { value: undefined, expiresAt: new Date(nowMs + marginMs + anonymousMs) };
  }
}

async function askForToken(parts: TokenParts, call: Call): Promise<Expiring<Credential>> {
  const { host, service, clock, http, readKeys } = parts;
  const url = endpointFor(service, parts.environment);
  const keys = await readKeys(call).catch((cause) => {
    call.signal.throwIfAborted();
    throw noKeys(host, cause);
  });
  const request = {
    url,
    service: service.name,
    region: service.region,
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": service.target },
    body: "{}",
  };
  const headers = awsSignature(request, keys, clock.now());
  const { body } = request;
  const answer = await http.request(
    { method: "POST", url, headers, body, redirect: "manual" },
    call,
  );
  return answer.status === 200 ? tokenIn(answer, host) : refused(answer, host);
}

/** `AWS_ENDPOINT_URL_…` as the SDK has it (AWS SDKs and Tools, "Service-specific endpoints"). */
function endpointFor({ endpoint, name }: EcrService, environment: Environment): URL {
  const variable = `AWS_ENDPOINT_URL_${name.toUpperCase().replace("-", "_")}`;
  const [where, url] = environment[variable]
    ? [variable, environment[variable]]
    : ["AWS_ENDPOINT_URL", environment.AWS_ENDPOINT_URL];
  if (!url) return new URL(endpoint);
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL("/", url);
  throw new ConfigError(`${where}: this is not an http or https URL`, {
    hint: `write it as https://host:port, or unset ${where}`,
  });
}

async function tokenIn(answer: HttpAnswer, host: string): Promise<Expiring<Credential>> {
  try {
    const text = (await collect(answer.body, maximumAnswerBytes)).toString();
    const { authorizationData } = v.parse(TokenAnswer, JSON.parse(text));
    const [token] = [authorizationData].flat();
    const pair = Buffer.from(token?.authorizationToken ?? "", "base64").toString();
    const [, username = "", password] = /^([^:]+):(.+)$/s.exec(pair) ?? [];
    if (token && password) {
      const expiresAt = new Date(token.expiresAt * 1000);
      return { value: withPassword(username, password, expiresAt), expiresAt };
    }
  } catch (error) {
    const isNonsense =
      error instanceof SyntaxError || error instanceof BytesError || v.isValiError(error);
    if (!isNonsense) throw error; // and never as a cause: its message could quote the token
  }
  throw new OciError("UNAUTHORIZED", `${answer.url.host} answered without a token for ${host}`, {
    hint: "check AWS_ENDPOINT_URL, and what a proxy before it answers",
  });
}

async function refused(answer: HttpAnswer, host: string): Promise<never> {
  const type = await typeIn(answer);
  const what = `${answer.url.host} gives no token for ${host} (${answer.status}${type && `, ${type}`})`;
  if (answer.status >= 500) throw new OciError("UNAVAILABLE", what, { hint: "try again later" });
  if (answer.status === 429 || /Throttling|TooManyRequests/.test(type)) {
    throw new OciError("TOOMANYREQUESTS", what, { hint: "let fewer hosts sign in at a time" });
  }
  const hints: Record<string, string | undefined> = {
    AccessDeniedException: "allow these credentials ecr:GetAuthorizationToken",
    ExpiredTokenException: "renew the AWS credentials, which have expired",
    InvalidSignatureException: "check AWS_SECRET_ACCESS_KEY, and the clock of this host",
  };
  throw new OciError("UNAUTHORIZED", what, {
    hint: hints[type] ?? "check the AWS credentials of this host",
  });
}

/** The name of the error (AWS JSON 1.1, "Operation error serialization"). */
async function typeIn(answer: HttpAnswer): Promise<string> {
  try {
    const text = (await collect(answer.body, maximumAnswerBytes)).toString();
    return /(\w+)$/.exec(v.parse(ErrorAnswer, JSON.parse(text)).__type)?.[1] ?? "";
  } catch {
    return ""; // a proxy's page: the status has to do
  }
}

function openKeys(environment: Environment): ReadKeys {
  let opening: Promise<() => Promise<AwsKeys>> | undefined;

  return async (call) => {
    const named = keysIn(environment);
    if (named) return named;
    return withTimeout("looking for AWS credentials", chainTimeoutMs, call, ({ signal }) => {
      opening ??= openChain();
      // The chain may wait for a program or a host, and does not listen to the signal.
      return orAborted(
        opening.then((provide) => provide()),
        signal,
      );
    });
  };
}

/** What the chain begins with too; and so none of it is loaded where they are. */
function keysIn(environment: Environment): AwsKeys | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (environment.AWS_PROFILE || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  };
}

async function openChain(): Promise<() => Promise<AwsKeys>> {
  const { state } = await import("@aws-sdk/core");
  state.warningEmitted = true; // about Node 20, to somebody who cannot do anything about it
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  return defaultProvider();
}

function noKeys(host: string, cause: unknown): OciError {
  return new OciError("UNAUTHORIZED", `there are no AWS credentials for ${host}`, {
    cause,
    hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or AWS_ECR_PASSWORD, give the host a role, or run docker login",
  });
}
