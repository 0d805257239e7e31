import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { openRenewed } from "../../base/renewed.ts";
import type { Credential } from "../../oci/credential.ts";
import { askCredentialProgram } from "../../oci/credential-helper.ts";
import type { CredentialSource } from "../../oci/credentials.ts";
import type { UpstreamAccess } from "./proxy-options.ts";

/**
 * Who the mirror is at one registry: nobody, a user, or whom a credential helper names. The helper
 * is asked again after `exec.lifetime`: each time when that is 0, never when it is not said.
 */
export function upstreamCredentials(
  { remoteurl, username, password, exec }: UpstreamAccess,
  { environment, clock }: { environment: Environment; clock: Clock },
): CredentialSource {
  if (exec === undefined) {
    const known: Credential | undefined =
      username !== undefined && password !== undefined
        ? { kind: "password", username, password }
        : undefined;
    return async () => known;
  }
  const { command, lifetime } = exec;
  const ask = (call: Call) => askCredentialProgram(command, remoteurl.host, environment, call);
  if (lifetime === 0) return (_host, call) => ask(call);
  const answers = openRenewed({
    async fetch(call) {
      const value = await ask(call);
      const expiresAt = new Date(clock.now().getTime() + (lifetime ?? foreverMs));
      return { value: { credential: value }, expiresAt };
    },
    marginMs: 0,
    clock,
  });
  return async (_host, call) => (await answers.current(call)).credential;
}

const foreverMs = 100 * 365 * 24 * 3_600_000;
