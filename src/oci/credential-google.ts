import type { GoogleAuth } from "google-auth-library";
import { type Call, orAborted, TimeoutError, withTimeout } from "../base/call.ts";
import { systemCodeOf } from "../base/errors.ts";
import { type Expiring, openRenewed } from "../base/renewed.ts";
import { type Credential, withPassword } from "./credential.ts";
import type { CloudParts } from "./credential-amazon.ts";
import { OciError } from "./error.ts";

const scope = "https://www.googleapis.com/auth/cloud-platform";
const tokenTimeoutMs = 30_000;
/** The library itself renews a token when five minutes remain. */
const marginMs = 4 * 60_000;
/** How long nothing is looked for again where nothing was found. */
const anonymousMs = 5 * 60_000;

/** `gcr.io` and its regions, and Artifact Registry. */
export function isGoogleRegistry(host: string): boolean {
  return /^([a-z0-9-]+\.)?gcr\.io$|^[a-z0-9-]+-docker\.pkg\.dev$/.test(host);
}

/**
 * The credential for a registry of Google's: `GCR_TOKEN`, an access token or a service-account key;
 * else an access token by Application Default Credentials. `undefined` for other hosts, and where
 * there are no credentials at all, as much there is public.
 */
export function openGoogleCredentials({ environment, clock }: Omit<CloudParts, "http">) {
  const { GOOGLE_APPLICATION_CREDENTIALS: file, GCR_TOKEN } = environment;
  let opening: Promise<GoogleAuth> | undefined;
  const tokens = openRenewed({ fetch: fetchToken, marginMs, clock });

  return async (host: string, call: Call): Promise<Credential | undefined> => {
    if (!isGoogleRegistry(host)) return undefined;
    return GCR_TOKEN ? givenToken(GCR_TOKEN) : tokens.current(call);
  };

  async function fetchToken(call: Call): Promise<Expiring<Credential | undefined>> {
    try {
      return await withTimeout(
        "signing in to Google",
        tokenTimeoutMs,
        call,
        ({ signal }) => orAborted(accessToken(), signal), // the library takes no signal
      );
    } catch (error) {
      call.signal.throwIfAborted();
      opening = undefined; // the file may be there, or another, by the next time
      if (!isAbsence(error)) throw noToken(error, file);
      return { value: undefined, expiresAt: inMs(marginMs + anonymousMs) };
    }
  }

  async function accessToken(): Promise<Expiring<Credential>> {
    opening ??= openAuth(file);
    const client = await (await opening).getClient();
    const { token } = await client.getAccessToken();
    if (!token) throw new Error("there is no token");
    const { expiry_date } = client.credentials;
    const expiresAt = expiry_date ? new Date(expiry_date) : inMs(marginMs);
    return { value: withPassword("oauth2accesstoken", token, expiresAt), expiresAt };
  }

  function inMs(ms: number): Date {
    return new Date(clock.now().getTime() + ms);
  }
}

/** As Artifact Registry takes them ("Configure authentication to Artifact Registry for Docker"). */
function givenToken(token: string): Credential {
  if (token.trimStart().startsWith("{")) return withPassword("_json_key", token);
  const isCodedKey = /^\s*\{/.test(Buffer.from(token, "base64").toString());
  return withPassword(isCodedKey ? "_json_key_base64" : "oauth2accesstoken", token);
}

async function openAuth(file: string | undefined): Promise<GoogleAuth> {
  const { GoogleAuth } = await import("google-auth-library");
  return new GoogleAuth({ scopes: [scope], ...(file ? { keyFilename: file } : {}) });
}

/** What the library says when it has looked everywhere, and of an instance without an account. */
function isAbsence(error: unknown): boolean {
  const said = error instanceof Error ? error.message : "";
  return /^(Could not load the default credentials|A Not Found error was returned)/.test(said);
}

/** Google's messages may quote the file or the answer of the token server: they stay the cause. */
function noToken(cause: unknown, file: string | undefined): OciError {
  const code = systemCodeOf(cause) ?? "";
  if (cause instanceof TimeoutError || /^(ECONN|ENOTFOUND|EAI_)/.test(code)) {
    return new OciError("UNAVAILABLE", "cannot sign in to Google: it does not answer", {
      cause,
      hint: "check the network, and the proxy in HTTPS_PROXY",
    });
  }
  const where = file
    ? `the credentials in ${file} (GOOGLE_APPLICATION_CREDENTIALS)`
    : "Google's Application Default Credentials";
  return new OciError("UNAUTHORIZED", `${where} cannot be used`, {
    cause,
    hint: "set GOOGLE_APPLICATION_CREDENTIALS to a service-account key, or run gcloud auth application-default login",
  });
}
