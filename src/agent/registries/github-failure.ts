import { collect } from "../../base/bytes.ts";
import type { HttpAnswer, HttpHeaders } from "../../base/http-client.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import type { ReleaseRegistryError } from "../release.ts";
import { failure } from "./registry-failure.ts";

/** As whom we asked: with a person's token, with an App's, or with the App's key for such a token. */
export type GithubIdentity = "token" | "app" | "app-key";

const maximumErrorBytes = 64 * 1024;
/** "Wait at least one minute" (GitHub, "Rate limits for the REST API", secondary limits). */
const secondaryLimitMs = 60_000;

type Sentence = [message: string, hint: string];

const sentences: Record<GithubIdentity, Record<401 | 403 | 404, Sentence>> = {
  token: {
    401: [
      "GitHub does not accept the token (401)",
      "set GH_TOKEN or GITHUB_TOKEN to a token that has not expired",
    ],
    403: [
      "the token may not read it (403)",
      "give the token read access to the contents of the repository",
    ],
    404: [
      "GitHub knows no such repository or file (404)",
      "check owner and repository, and that the token may read them; GitHub hides the rest",
    ],
  },
  app: {
    401: [
      "GitHub does not accept the App's token (401)",
      "check that the App is still installed where the repository is",
    ],
    403: ["the App may not read it (403)", "give the App read access to the repository's contents"],
    404: [
      "GitHub knows no such repository or file (404)",
      "check owner and repository, and that the App is installed on them; GitHub hides the rest",
    ],
  },
  "app-key": {
    401: [
      "GitHub does not accept the App's signature (401)",
      "check GITHUB_APP_ID, the private key, and the clock of this host",
    ],
    403: ["the App may not sign in (403)", "check whether its installation was suspended"],
    404: [
      "GitHub knows no such installation of the App (404)",
      "check GITHUB_APP_INSTALLATION_ID and GITHUB_APP_ID",
    ],
  },
};

/** What GitHub's refusal means, with GitHub's own words where it has any. */
export async function githubRefusal(
  name: string,
  answer: HttpAnswer,
  identity: GithubIdentity,
  now: Date,
): Promise<ReleaseRegistryError> {
  const { status, headers, url } = answer;
  const said = await messageIn(answer);
  const words = said === "" ? "" : `: ${said}`;
  if (isRateLimit(status, headers, said)) {
    return failure("RATE_LIMITED", `${name}: GitHub's rate limit is used up (${status})${words}`, {
      hint: "poll less often, or give this host a token of its own",
      retryAfterMs: waitMs(headers, now),
    });
  }
  if (status === 401 || status === 403 || status === 404) {
    const [message, hint] = sentences[identity][status];
    const code = status === 404 && identity !== "app-key" ? "NOT_FOUND" : "UNAUTHORIZED";
    return failure(code, `${name}: ${message}${status === 404 ? "" : words}`, { hint });
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
