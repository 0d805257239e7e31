import type { AuthClient } from "google-auth-library";
import { type Call, orAborted, TimeoutError, withTimeout } from "../base/call.ts";
import type { Environment } from "../base/environment.ts";
import { systemCodeOf } from "../base/errors.ts";
import { Secret } from "../base/secret.ts";
import { ObjectStoreError } from "./object-store.ts";

/** What a token is for; a host may have been given less than the account is allowed. */
export type GcsAccess = "read_only" | "read_write";

const tokenTimeoutMs = 30_000;

/**
 * Application Default Credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, what
 * `gcloud auth application-default login` stored, or the metadata server. Google's library is loaded
 * when they are first needed; it keeps a token until shortly before it expires.
 */
export function openGcsCredentials(
  { GOOGLE_APPLICATION_CREDENTIALS: file }: Environment,
  access: GcsAccess,
) {
  let opening: Promise<AuthClient> | undefined;

  return {
    /** What was not accepted is not used again: the key may be another by the next request. */
    forget() {
      opening = undefined;
    },

    /** The value of the header. @throws {ObjectStoreError} `UNAUTHORIZED` */
    async authorization(call: Call): Promise<Secret> {
      try {
        // The library takes no signal; what it still waits for then ends by itself.
        return await withTimeout("signing in to Google", tokenTimeoutMs, call, ({ signal }) =>
          orAborted(token(), signal),
        );
      } catch (error) {
        call.signal.throwIfAborted();
        throw noToken(error, file);
      }
    },
  };

  async function token(): Promise<Secret> {
    opening ??= openAuthClient(file, access);
    const current = opening;
    const client = await current.catch((error) => {
      if (opening === current) opening = undefined; // the file may be there at the next poll
      throw error;
    });
    const value = (await client.getRequestHeaders()).get("authorization");
    if (!value) throw new Error("there is no token");
    return new Secret(value);
  }
}

async function openAuthClient(file: string | undefined, access: GcsAccess): Promise<AuthClient> {
  const { GoogleAuth } = await import("google-auth-library");
  const scope = `https://www.googleapis.com/auth/devstorage.${access}`;
  const auth = new GoogleAuth({ scopes: [scope], ...(file ? { keyFilename: file } : {}) });
  auth.useJWTAccessWithScope = true; // a service account signs its tokens itself: one host less to reach
  return auth.getClient();
}

/** Google's messages may quote the file or the answer of the token server: they stay the cause. */
function noToken(cause: unknown, file: string | undefined): ObjectStoreError {
  if (cause instanceof TimeoutError || /^(ECONN|ENOTFOUND|EAI_)/.test(systemCodeOf(cause) ?? "")) {
    return new ObjectStoreError("UNAVAILABLE", "cannot sign in to Google: it does not answer", {
      cause,
      hint: "check the network, and the proxy in HTTPS_PROXY",
    });
  }
  return new ObjectStoreError(
    "UNAUTHORIZED",
    file
      ? `the credentials in ${file} (GOOGLE_APPLICATION_CREDENTIALS) cannot be used`
      : "there are no credentials for it",
    {
      cause,
      hint: "set GOOGLE_APPLICATION_CREDENTIALS to a service-account key, or run gcloud auth application-default login",
    },
  );
}
