import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { HttpAnswer, HttpClient } from "../../base/http-client.ts";
import { Secret } from "../../base/secret.ts";
import { type GithubIdentity, githubRefusal } from "./github-failure.ts";
import type { HeedRateLimit } from "./github-rate-limit.ts";

export interface GithubRequest {
  method?: string;
  url: URL;
  accept: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** The answers that are no error. */
  statuses: readonly number[];
}

/** Says who we are. */
export interface GithubCredentials {
  readonly identity: Exclude<GithubIdentity, "app-key">;
  token(call: Call): Promise<Secret>;
  /** Takes back a token that GitHub did not accept; whether there may be another. */
  forget(refused: Secret): boolean;
}

/** How GitHub is reached, before anybody has signed in. */
export interface GithubAccess {
  /** For errors: the registry URL. */
  name: string;
  http: HttpClient;
  clock: Clock;
}

export interface GithubParts extends GithubAccess {
  credentials: GithubCredentials;
  heedRateLimit: HeedRateLimit;
}

/** Sends one request to GitHub's REST API. @throws {ReleaseRegistryError} */
export async function askGithub(
  parts: GithubParts,
  request: GithubRequest,
  call: Call,
): Promise<HttpAnswer> {
  const { credentials, heedRateLimit } = parts;
  const token = await credentials.token(call);
  let answer = await sendToGithub(parts, request, token, call);
  if (answer.status === 401 && credentials.forget(token)) {
    answer.discard();
    answer = await sendToGithub(parts, request, await credentials.token(call), call);
  }
  heedRateLimit(answer.headers);
  return acceptedBy(parts, request, answer, credentials.identity);
}

/** Asks with `bearer`, and once. */
export function sendToGithub(
  { http }: GithubAccess,
  { method = "GET", url, accept, headers, body }: GithubRequest,
  bearer: Secret,
  call: Call,
): Promise<HttpAnswer> {
  const authorization = new Secret(`Bearer ${bearer.reveal()}`);
  const versioned = { accept, authorization, "x-github-api-version": "2022-11-28" };
  return http.request({ method, url, headers: { ...versioned, ...headers }, body }, call);
}

/** `answer`, unless it is an error. @throws {ReleaseRegistryError} */
export async function acceptedBy(
  { name, clock }: GithubAccess,
  { statuses }: GithubRequest,
  answer: HttpAnswer,
  identity: GithubIdentity,
): Promise<HttpAnswer> {
  if (statuses.includes(answer.status)) return answer;
  throw await githubRefusal(name, answer, identity, clock.now());
}
