import { Secret } from "../../base/secret.ts";
import type { PasswordCredentials } from "./accounts.ts";
import type { Credentials, Visit, Wish } from "./authenticator.ts";

export const pullApp: Wish = { type: "repository", name: "team/app", action: "pull" };
export const pushApp: Wish = { type: "repository", name: "team/app", action: "push" };

/** Somebody who wants to pull, unless `changes` say otherwise. */
export function visitWith(
  credentials: Credentials | undefined,
  changes: Partial<Omit<Visit, "credentials">> = {},
): Visit {
  return {
    credentials,
    wishes: [pullApp],
    address: "192.0.2.1",
    origin: () => "https://registry.test",
    locate: (path) => `https://registry.test${path}`,
    ...changes,
  };
}

export function basic(user: string, password: string): PasswordCredentials {
  return { scheme: "basic", user, password: new Secret(password) };
}

export function bearer(token: string): Credentials {
  return { scheme: "bearer", token: new Secret(token) };
}
