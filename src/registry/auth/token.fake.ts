import type { KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { type Issued, issue } from "../certificate.fake.ts";
import type { Credentials } from "./authenticator.ts";
import { openToken } from "./token.ts";
import { namesOf } from "./token-keys.ts";
import { type TokenOptions, tokenAlgorithms } from "./token-options.ts";
import { bearer, visitWith } from "./visit.fake.ts";

/** Whose tokens are good. */
export const signer = issue({ name: "signer", isAuthority: true });
export const [thumbprint = "", fingerprint = ""] = namesOf(signer.certificate.publicKey);
export const nowSeconds = Math.floor(Date.now() / 1000);

/** What is other in a token than in a good one. */
export interface Changes {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  key?: KeyObject | Uint8Array;
  algorithm?: string;
}

interface Setting {
  options?: Partial<TokenOptions>;
  bundle?: string;
  keys?: unknown;
}

export async function tokenStage({ options = {}, bundle = signer.pem.cert, keys }: Setting = {}) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-token-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const files = { bundle: join(directory, "bundle.pem"), jwks: join(directory, "jwks.json") };
  await writeFile(files.bundle, bundle);
  if (keys !== undefined) await writeFile(files.jwks, JSON.stringify({ keys }));
  const clock = new FakeClock(new Date(nowSeconds * 1000));
  const logger = new FakeLogger();
  const authenticator = await openToken(
    {
      realm: "https://auth.test/token",
      service: "registry.test",
      issuer: "auth.test",
      rootcertbundle: files.bundle,
      ...(keys === undefined ? {} : { jwks: files.jwks }),
      signingalgorithms: [...tokenAlgorithms],
      autoredirect: false,
      autoredirectpath: "/auth/token",
      ...options,
    },
    { clock, logger },
  );
  const identify = (credentials: Credentials) =>
    authenticator.identify(credentials, visitWith(credentials), {
      signal: AbortSignal.timeout(10_000),
    });
  const tryWith = (shown: string) =>
    identify(bearer(shown)).then(
      ({ user }) => user,
      (error: { code: string }) => error.code,
    );
  return { authenticator, identify, tryWith, clock, logger, bundle: files.bundle };
}

export function claimsOf(changes: Record<string, unknown>) {
  return {
    iss: "auth.test",
    aud: "registry.test",
    sub: "alice",
    exp: nowSeconds + 300,
    nbf: nowSeconds - 1,
    access: [{ type: "repository", name: "team/app", actions: ["pull"] }],
    ...changes,
  };
}

export function token({ claims = {}, header = {}, key, algorithm = "ES256" }: Changes = {}) {
  return new SignJWT(claimsOf(claims))
    .setProtectedHeader({ alg: algorithm, kid: fingerprint, ...header })
    .sign(key ?? signer.privateKey);
}

export function chainOf(...chain: Issued[]): string[] {
  return chain.map(({ certificate }) => certificate.raw.toString("base64"));
}
