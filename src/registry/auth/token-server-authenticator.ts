import { asPassword, passwordAuthenticator, refused } from "./accounts.ts";
import type { Authenticator, Grant, Wish } from "./authenticator.ts";
import { tokenParameters } from "./token.ts";
import type { ReadToken } from "./token-reader.ts";
import { ownerOf, ownTokenReader, type TokenServerParts } from "./token-server.ts";
import { type TokenServerOptions, tokenPath } from "./token-server-options.ts";

/** Lets in with the tokens of `tokenServerOf`, and with passwords as well. */
export function tokenServerAuthenticator(
  options: TokenServerOptions,
  parts: TokenServerParts,
): Authenticator {
  const { accounts, anonymous, realm } = parts;
  const { service } = options;
  const passwords = passwordAuthenticator(accounts, realm);
  const read = ownTokenReader(service, options, parts);

  return {
    async identify(credentials, visit, call) {
      const isOwn =
        credentials.scheme === "bearer" && !(await accounts.isFor(asPassword(credentials.token)));
      if (!isOwn) return await passwords.identify(credentials, visit, call);
      const token = await read(credentials.token, visit.address);
      const grant = token.subject === "" ? anonymous : (await ownerOf(token, accounts, call)).grant;
      if (grant === undefined) throw refused();
      return narrowed(grant, token);
    },

    challenge(visit, reason) {
      const url = visit.locate(tokenPath);
      if (url === undefined) return passwords.challenge(visit, reason);
      const parameters = tokenParameters({ realm: url, service }, visit, reason);
      return { scheme: "bearer", parameters };
    },

    close: () => passwords.close(),
  };
}

/** What the token was made for, as far as its owner may still do it. */
function narrowed({ user, lists, allows }: Grant, token: ReadToken): Grant {
  const both = (wish: Wish) => token.allows(wish) && allows(wish);
  return { user, lists, reach: "some", allows: both };
}
