import { Secret } from "../base/secret.ts";

/** Who we are at one registry. An identity token is exchanged at the token server (OAuth 2). */
export type Credential =
  | {
      kind: "password";
      username: string;
      password: Secret;
      /** Where the password is one for a while only. */
      expiresAt?: Date;
    }
  | { kind: "identity-token"; token: Secret };

export function withPassword(username: string, password: string, expiresAt?: Date): Credential {
  const credential = { kind: "password", username, password: new Secret(password) } as const;
  return expiresAt === undefined ? credential : { ...credential, expiresAt };
}

export function withIdentityToken(token: string): Credential {
  return { kind: "identity-token", token: new Secret(token) };
}
