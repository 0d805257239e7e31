import { generateKeyPairSync, type KeyObject, verify } from "node:crypto";

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** GitHub's half of an App: takes JSON Web Tokens, as strictly as GitHub does, for tokens of an hour. */
export interface FakeGithubApp {
  key: KeyObject;
  /** For the agent that is to sign in. */
  environment: Record<string, string>;
  /** Every token that was issued, the newest last. */
  issued: string[];
  /** Those that are refused, although they have not expired. */
  revoked: Set<string>;
  /** The answer to a request for a token. */
  answerTo(path: string, authorization: string): { status: number; body: object };
  isValid(authorization: string): boolean;
}

export function fakeGithubApp(now: () => Date): FakeGithubApp {
  const expiries = new Map<string, number>();
  const app: FakeGithubApp = {
    key: keys.privateKey,
    environment: {
      GITHUB_APP_ID: "1234",
      GITHUB_APP_INSTALLATION_ID: "5678",
      GITHUB_APP_PRIVATE_KEY: String(keys.privateKey.export({ type: "pkcs1", format: "pem" })),
    },
    issued: [],
    revoked: new Set(),

    answerTo(path, authorization) {
      const problem = problemOf(authorization, now().getTime() / 1000);
      if (problem) return { status: 401, body: { message: problem } };
      if (path !== "/api/v3/app/installations/5678/access_tokens") {
        return { status: 404, body: { message: "Not Found" } };
      }
      const token = `ghs_s3cret${app.issued.length + 1}`;
      const expiresAt = new Date(now().getTime() + 3_600_000);
      app.issued.push(token);
      expiries.set(`Bearer ${token}`, expiresAt.getTime());
      const expires_at = expiresAt.toISOString().replace(/\.\d+/, "");
      return { status: 201, body: { token, expires_at, permissions: { contents: "read" } } };
    },

    isValid: (authorization) =>
      (expiries.get(authorization) ?? 0) > now().getTime() &&
      !app.revoked.has(authorization.replace("Bearer ", "")),
  };
  return app;
}

function problemOf(authorization: string, now: number): string | undefined {
  const [, head = "", claims = "", signature = ""] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization) ?? [];
  if (signature === "") return "A JSON web token could not be decoded";
  const bytes = Buffer.from(`${head}.${claims}`);
  const isGenuine = verify("sha256", bytes, keys.publicKey, Buffer.from(signature, "base64url"));
  const { iat, exp, iss } = JSON.parse(Buffer.from(claims, "base64url").toString());
  const { alg } = JSON.parse(Buffer.from(head, "base64url").toString());
  if (alg !== "RS256" || iss !== "1234" || !isGenuine)
    return "A JSON web token could not be decoded";
  if (iat > now) return "'Issued at' claim ('iat') must be an Integer representing a past time";
  if (exp <= now) return "'Expiration time' claim ('exp') is too far in the past";
  if (exp > now + 600) return "'Expiration time' claim ('exp') is too far in the future";
  return undefined;
}
