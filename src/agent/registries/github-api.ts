import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { HttpAnswer, HttpClient, HttpHeaders } from "../../base/http-client.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import { Secret } from "../../base/secret.ts";
import { failure } from "./registry-failure.ts";

export interface GithubRequest {
  method?: string;
  url: URL;
  accept: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** The answers that are no error. */
  statuses: readonly number[];
}

export interface GithubParts {
  /** For errors: the registry URL. */
  name: string;
  token: Secret;
  http: HttpClient;
  clock: Clock;
}

const maximumErrorBytes = 64 * 1024;
/** "Wait at least one minute" (GitHub, "Rate limits for the REST API", secondary limits). */
const secondaryLimitMs = 60_000;

/** Sends one request to GitHub's REST API. @throws {ReleaseRegistryError} */
export async function askGithub(
  { name, token, http, clock }: GithubParts,
  { method = "GET", url, accept, headers, body, statuses }: GithubRequest,
  call: Call,
): Promise<HttpAnswer> {
  const authorization = new Secret(`Bearer ${token.reveal()}`);
  const versioned = { accept, authorization, "x-github-api-version": "2022-11-28" };
  const answer = await http.request(
    { method, url, headers: { ...versioned, ...headers }, body },
    call,
  );
  if (statuses.includes(answer.status)) return answer;
  const said = await messageIn(answer);
  throw refusal(name, answer, said, clock.now());
}

function refusal(name: string, { status, headers, url }: HttpAnswer, said: string, now: Date) {
  const words = said === "" ? "" : `: ${said}`;
  if (isRateLimit(status, headers, said)) {
    return failure("RATE_LIMITED", `${name}: GitHub's rate limit is used up (${status})${words}`, {
      hint: "poll less often, or give this host a token of its own",
      retryAfterMs: waitMs(headers, now),
    });
  }
  if (status === 401) {
    return failure("UNAUTHORIZED", `${name}: GitHub does not accept the token (401)${words}`, {
      hint: "set GH_TOKEN or GITHUB_TOKEN to a token that has not expired",
    });
  }
  if (status === 403) {
    return failure("UNAUTHORIZED", `${name}: the token may not read it (403)${words}`, {
      hint: "give the token read access to the contents of the repository",
    });
  }
  if (status === 404) {
    return failure("NOT_FOUND", `${name}: GitHub knows no such repository or file (404)`, {
      hint: "check owner and repository, and that the token may read them; GitHub hides the rest",
    });
  }
  return failure("UNAVAILABLE", `${name}: ${url.host} answered ${status}${words}`, {
    hint: "see https://www.githubstatus.com",
    retryAfterMs: retryAfterMs(headers, now),
  });
}

function isRateLimit(status: number, headers: HttpHeaders, said: string): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  return (
    headers["x-ratelimit-remaining"] === "0" ||
    headers["retry-after"] !== undefined ||
    /rate limit/i.test(said)
  );
}

function waitMs(headers: HttpHeaders, now: Date): number {
  const asked = retryAfterMs(headers, now);
  if (asked !== undefined) return asked;
  const reset = Number(headers["x-ratelimit-reset"]) * 1000;
  const isPrimary = headers["x-ratelimit-remaining"] === "0" && reset > 0;
  return isPrimary ? Math.max(0, reset - now.getTime()) : secondaryLimitMs;
}

async function messageIn(answer: HttpAnswer): Promise<string> {
  const bytes = await collect(answer.body, maximumErrorBytes).catch(() => Buffer.alloc(0));
  try {
    const { message } = JSON.parse(bytes.toString()) as { message?: unknown };
    return typeof message === "string" ? answer.conceal(message).slice(0, 300) : "";
  } catch {
    return ""; // a proxy's page: the status has to do
  }
}
