import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import type { GithubAccess, GithubCredentials } from "./github-api.ts";
import { openGithubApp } from "./github-app.ts";

/**
 * A GitHub App where `GITHUB_APP_ID` is set, and nothing else then; otherwise the token in `GH_TOKEN`
 * or `GITHUB_TOKEN`.
 *
 * @param api the URL of the API, without a slash at its end
 * @throws {ConfigError}
 */
export async function githubCredentials(
  environment: Environment,
  access: GithubAccess,
  api: string,
): Promise<GithubCredentials> {
  if (environment.GITHUB_APP_ID) return openGithubApp(environment, access, api);
  const token = tokenIn(environment);
  return { identity: "token", token: async () => token, forget: () => false };
}

function tokenIn({ GH_TOKEN, GITHUB_TOKEN }: Environment): Secret {
  const [variable, token] = GH_TOKEN ? ["GH_TOKEN", GH_TOKEN] : ["GITHUB_TOKEN", GITHUB_TOKEN];
  if (!token) {
    throw new ConfigError("--registry: ghr:// needs a token, and neither variable has one", {
      hint: "set GH_TOKEN or GITHUB_TOKEN to a token that may read the repository, or GITHUB_APP_ID for a GitHub App",
    });
  }
  if (/^[\x21-\x7e]+$/.test(token)) return new Secret(token);
  throw new ConfigError(`${variable}: there is a space, a line end or the like in the token`, {
    hint: `set ${variable} to the token alone`,
  });
}
