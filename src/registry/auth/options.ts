import type { SecureContext } from "node:tls";
import * as v from "valibot";
import type { Environment } from "../../base/environment.ts";
import { DewyError } from "../../base/errors.ts";
import { readTlsFiles } from "../../base/tls-files.ts";
import { AuthError } from "./authenticator.ts";

/** What goes into the quotes of a challenge. */
export const ChallengeText = v.pipe(
  v.string("write a text"),
  v.nonEmpty("write a text"),
  v.regex(/^[\x20-\x7e]*$/, "this goes into a header: write one line of ASCII"),
);

export const FilePath = v.pipe(
  v.string("write the path of a file"),
  v.nonEmpty("write the path of a file"),
);

/**
 * Whom `section` trusts: the authorities in the file that its `ca` names, or the system's.
 *
 * @throws {AuthError} `UNAVAILABLE` when they cannot be read
 */
export async function authoritiesFor(
  section: string,
  path: string | undefined,
  environment: Environment,
): Promise<SecureContext> {
  const ca = path === undefined ? undefined : { name: `${section}.ca`, path };
  try {
    return await readTlsFiles({ ca, cert: undefined, key: undefined }, section, environment);
  } catch (error) {
    if (!(error instanceof DewyError)) throw error;
    const { message, hint } = error;
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}
