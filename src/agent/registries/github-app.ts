import * as v from "valibot";
import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { type Expiring, openRenewed } from "../../base/renewed.ts";
import { Secret } from "../../base/secret.ts";
import {
  acceptedBy,
  type GithubAccess,
  type GithubCredentials,
  sendToGithub,
} from "./github-api.ts";
import { appJwt, openAppKey, type ReadAppKey } from "./github-app-key.ts";
import { failure } from "./registry-failure.ts";

/** GitHub's REST API, "Create an installation access token for an app". */
const TokenAnswer = v.object({
  token: v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/)),
  expires_at: v.pipe(v.string(), v.isoTimestamp()),
});
const maximumAnswerBytes = 256 * 1024;

/** As the original does: an hour's token is renewed when less than this remains. */
const marginMs = 5 * 60_000;

/**
 * Signs in as an installation of a GitHub App. The key is read once at the start, so that a mistake
 * is known at once, and again for each new token.
 *
 * @throws {ConfigError} for everything that is missing, in one line
 */
export async function openGithubApp(
  environment: Environment,
  access: GithubAccess,
  api: string,
): Promise<GithubCredentials> {
  const { appId, installationId } = idsIn(environment);
  const readKey = openAppKey(environment);
  await readKey();
  const url = new URL(`${api}/app/installations/${installationId}/access_tokens`);
  const tokens = openRenewed({
    fetch: (call) => fetchToken({ access, appId, readKey, url }, call),
    marginMs,
    clock: access.clock,
  });
  return {
    identity: "app",
    token: (call) => tokens.current(call),
    forget(refused) {
      tokens.forget(refused);
      return true;
    },
  };
}

function idsIn(environment: Environment): { appId: string; installationId: string } {
  const { GITHUB_APP_ID: appId = "", GITHUB_APP_INSTALLATION_ID: installationId = "" } =
    environment;
  const { GITHUB_APP_PRIVATE_KEY: key, GITHUB_APP_PRIVATE_KEY_PATH: path } = environment;
  const missing = [
    installationId ? "" : "GITHUB_APP_INSTALLATION_ID",
    key || path ? "" : "GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_PATH)",
  ].filter(Boolean);
  if (missing.length > 0) {
    throw new ConfigError(`GITHUB_APP_ID is set, but not ${missing.join(" and ")}`, {
      hint: "set all of them to sign in as a GitHub App, or unset GITHUB_APP_ID to use a token",
    });
  }
  // A client ID does as well as the number (GitHub, "Generating a JSON Web Token for a GitHub App").
  if (!/^[\w.]+$/.test(appId)) {
    throw new ConfigError("GITHUB_APP_ID: this is neither an App ID nor a client ID", {
      hint: "set it to the App ID from the App's settings, such as 123456",
    });
  }
  if (/^\d+$/.test(installationId)) return { appId, installationId };
  throw new ConfigError("GITHUB_APP_INSTALLATION_ID: this is not a number", {
    hint: "set it to the number at the end of the installation's URL, such as 12345678",
  });
}

interface TokenSource {
  access: GithubAccess;
  appId: string;
  readKey: ReadAppKey;
  url: URL;
}

async function fetchToken(
  { access, appId, readKey, url }: TokenSource,
  call: Call,
): Promise<Expiring<Secret>> {
  const jwt = appJwt(appId, await readKey(), access.clock.now());
  const accept = "application/vnd.github+json";
  const request = { method: "POST", url, accept, statuses: [201] };
  const sent = await sendToGithub(access, request, jwt, call);
  const answer = await acceptedBy(access, request, sent, "app-key");
  try {
    const bytes = await collect(answer.body, maximumAnswerBytes);
    const { token, expires_at } = v.parse(TokenAnswer, JSON.parse(bytes.toString()));
    return { value: new Secret(token), expiresAt: new Date(expires_at) };
  } catch (error) {
    const isNonsense =
      error instanceof SyntaxError || error instanceof BytesError || v.isValiError(error);
    if (!isNonsense) throw error;
    // Not as a cause: either message could quote the token.
    throw failure("INVALID_ANSWER", `${access.name}: ${url.host} answered without a token`, {
      hint: "check GITHUB_API_URL, and what a proxy before it answers",
    });
  }
}
