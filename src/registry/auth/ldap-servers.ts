import type { Call } from "../../base/call.ts";
import { type Clock, isWithin } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { AuthError } from "./authenticator.ts";
import { type LdapConnection, type LdapServer, withLdapConnection } from "./ldap-connection.ts";

/** Several servers that have the same in them. */
export interface LdapServers {
  /**
   * Does `work` with the first one that answers.
   *
   * @throws {AuthError} `UNAVAILABLE` when none does
   */
  ask<Result>(work: (connection: LdapConnection) => Promise<Result>, call: Call): Promise<Result>;
}

/** One that is down is passed over for as long, unless all are: nobody is to wait for it each time. */
const passedOverMs = 30_000;

export function ldapServersOf(
  servers: readonly LdapServer[],
  { clock, logger }: { clock: Clock; logger: Logger },
): LdapServers {
  const downSinceMs = new Map<LdapServer, number>();

  return {
    async ask(work, call) {
      let failure: unknown;
      for (const server of inOrder()) {
        try {
          const result = await withLdapConnection(server, call, work);
          if (downSinceMs.delete(server)) logger.info("a directory answers again", nameOf(server));
          return result;
        } catch (error) {
          call.signal.throwIfAborted();
          failure = error;
          noteFailure(server, error);
        }
      }
      throw unavailable(failure);
    },
  };

  /** Those that are down last, in their order. */
  function inOrder(): LdapServer[] {
    const isUp = (server: LdapServer) => {
      const sinceMs = downSinceMs.get(server);
      return sinceMs === undefined || !isWithin({ limitMs: passedOverMs, sinceMs }, clock);
    };
    return [...servers.filter(isUp), ...servers.filter((server) => !isUp(server))];
  }

  function noteFailure(server: LdapServer, error: unknown): void {
    const isNew = !downSinceMs.has(server);
    downSinceMs.set(server, clock.now().getTime());
    if (!isNew || servers.length === 1) return; // a single one is in the line of each request
    logger.warn("a directory does not answer", { ...nameOf(server), reason: messageOf(error) });
  }
}

const nameOf = ({ url }: LdapServer) => ({ directory: url });

function unavailable(cause: unknown): AuthError {
  if (cause instanceof AuthError) return cause;
  const message = `the directory of users cannot be asked: ${messageOf(cause) || "no answer"}`;
  const hint = "check auth.ldap.urls, starttls and ca, and that the server runs";
  return new AuthError("UNAVAILABLE", message, { cause, hint });
}
