import { Secret } from "../base/secret.ts";

/** Who we are at one registry. An identity token is exchanged at the token server (OAuth 2). */
export type Credential =
  | { kind: "password"; username: string; password: Secret }
  | { kind: "identity-token"; token: Secret };

export function withPassword(username: string, password: string): Credential {
  return { kind: "password", username, password: new Secret(password) };
}

export function withIdentityToken(token: string): Credential {
  return { kind: "identity-token", token: new Secret(token) };
}
