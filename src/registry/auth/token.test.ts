import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { calculateJwkThumbprint, exportJWK, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { type Issued, issue } from "../certificate.fake.ts";
import { authenticatorContract } from "./authenticator.contract.ts";
import type { Wish } from "./authenticator.ts";
import {
  type Changes,
  chainOf,
  claimsOf,
  fingerprint,
  nowSeconds,
  signer,
  tokenStage as stage,
  thumbprint,
  token,
} from "./token.fake.ts";
import { basic, bearer, pullApp, pushApp } from "./visit.fake.ts";

const stranger = issue({ name: "stranger", isAuthority: true });

authenticatorContract("token", {
  open: async () => (await stage()).authenticator,
  good: async () => bearer(await token()),
  bad: [
    bearer("nonsense"),
    bearer(""),
    bearer("e30.e30."),
    bearer("a".repeat(10_000)),
    basic("alice", "password"),
    { scheme: "other" },
  ],
});

describe("token", () => {
  it.each<[string, Changes]>([
    ["its key is known by the libtrust fingerprint", { header: { kid: fingerprint } }],
    ["its key is known by the JWK thumbprint", { header: { kid: thumbprint } }],
    ["it brings the certificate", { header: { x5c: chainOf(signer) } }],
    ["we are one of its audiences", { claims: { aud: ["other", "registry.test"] } }],
    ["it began less than a minute from now", { claims: { nbf: nowSeconds + 50 } }],
    ["it ended less than a minute ago", { claims: { exp: nowSeconds - 50 } }],
    ["it has no beginning", { claims: { nbf: undefined } }],
  ])("is good when %s", async (_what, changes) => {
    const { tryWith } = await stage();

    expect(await tryWith(await token(changes))).toBe("alice");
  });

  it.each<[string, Changes]>([
    ["another issuer", { claims: { iss: "mallory" } }],
    ["another audience", { claims: { aud: "other" } }],
    ["no audience", { claims: { aud: undefined } }],
    ["an end that is over", { claims: { exp: nowSeconds - 61 } }],
    ["no end", { claims: { exp: undefined } }],
    ["a beginning that is to come", { claims: { nbf: nowSeconds + 61 } }],
    ["no hint at its key", { header: { kid: undefined } }],
    ["an unknown key", { header: { kid: "AAAA:BBBB" } }],
    ["another key than it says", { key: stranger.privateKey }],
    ["a stranger's certificate", { header: { x5c: chainOf(stranger) }, key: stranger.privateKey }],
    [
      "a certificate of another key",
      { header: { x5c: chainOf(signer) }, key: stranger.privateKey },
    ],
    ["a certificate that is none", { header: { x5c: ["AAAA"] } }],
    ["access that is no list", { claims: { access: { type: "repository" } } }],
    [
      "a shared secret that is our public key",
      { key: Buffer.from(signer.pem.cert), algorithm: "HS256" },
    ],
  ])("is refused with %s", async (_what, changes) => {
    const { tryWith, logger } = await stage();
    const shown = await token(changes);

    expect(await tryWith(shown)).toBe("CREDENTIALS_REFUSED");
    expect(logger.messages("info")).toEqual(["a token was refused"]);
    expect(JSON.stringify(logger.lines)).not.toContain(shown.split(".")[1]);
  });

  it("is refused without a signature", async () => {
    const { tryWith } = await stage();
    const unsigned = new UnsecuredJWT(claimsOf({})).encode();

    expect(await tryWith(unsigned)).toBe("CREDENTIALS_REFUSED");
  });

  it("is trusted by a chain of certificates, as long as all of it is valid", async () => {
    const middle = issue({ name: "middle", isAuthority: true, issuer: signer });
    const leaf = issue({ name: "leaf", issuer: middle });
    const late = issue({ name: "late", issuer: middle, to: new Date(Date.now() - 60_000) });
    const usurper = issue({ name: "usurper", issuer: leaf });
    const { tryWith } = await stage();
    const by = (...chain: [Issued, ...Issued[]]) =>
      token({ header: { x5c: chainOf(...chain) }, key: chain[0].privateKey });

    expect(await tryWith(await by(leaf, middle))).toBe("alice");
    expect(await tryWith(await by(leaf))).toBe("CREDENTIALS_REFUSED");
    expect(await tryWith(await by(late, middle))).toBe("CREDENTIALS_REFUSED");
    expect(await tryWith(await by(usurper, leaf, middle))).toBe("CREDENTIALS_REFUSED");
  });

  it("may bring a key that is trusted, and no other", async () => {
    const { tryWith } = await stage();
    const jwkOf = ({ certificate }: Issued) => exportJWK(certificate.publicKey);

    const own = { header: { kid: undefined, jwk: await jwkOf(signer) } };
    const foreign = { header: { jwk: await jwkOf(stranger) }, key: stranger.privateKey };
    const certified = { ...(await jwkOf(signer)), x5c: chainOf(signer) };
    const swapped = { ...(await jwkOf(stranger)), x5c: chainOf(signer) };

    expect(await tryWith(await token(own))).toBe("alice");
    expect(await tryWith(await token({ header: { jwk: certified } }))).toBe("alice");
    expect(await tryWith(await token(foreign))).toBe("CREDENTIALS_REFUSED");
    expect(await tryWith(await token({ header: { jwk: swapped }, key: stranger.privateKey }))).toBe(
      "CREDENTIALS_REFUSED",
    );
  });

  it("is trusted by a key set, by the id it has there, and only with its algorithm", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const secret = randomBytes(32);
    const jwk = await exportJWK(publicKey);
    const keys = [
      { ...jwk, kid: "release 7", alg: "RS256", use: "sig" },
      { kty: "oct", k: secret.toString("base64url"), kid: "shared", alg: "HS256" },
      { ...(await exportJWK(stranger.certificate.publicKey)), kid: "cipher", use: "enc" },
    ];
    const { tryWith } = await stage({ keys });
    const rsa = (kid: string, algorithm: string) =>
      token({ header: { kid }, key: privateKey, algorithm });

    expect(await tryWith(await rsa("release 7", "RS256"))).toBe("alice");
    expect(await tryWith(await rsa(await calculateJwkThumbprint(jwk), "RS256"))).toBe("alice");
    expect(await tryWith(await rsa("release 7", "PS256"))).toBe("CREDENTIALS_REFUSED");
    const shared = { header: { kid: "shared" }, key: secret, algorithm: "HS256" };
    expect(await tryWith(await token(shared))).toBe("alice");
    const forEncryption = { header: { kid: "cipher" }, key: stranger.privateKey };
    expect(await tryWith(await token(forEncryption))).toBe("CREDENTIALS_REFUSED");
  });

  it("is signed with nothing but what signingalgorithms says", async () => {
    const { tryWith } = await stage({ options: { signingalgorithms: ["RS256"] } });

    expect(await tryWith(await token())).toBe("CREDENTIALS_REFUSED");
  });

  it("ends when it says so, also when it is remembered", async () => {
    const { tryWith, clock } = await stage();
    const shown = await token({ claims: { exp: nowSeconds + 100 } });

    expect(await tryWith(shown)).toBe("alice");
    await clock.advance(165_000);

    expect(await tryWith(shown)).toBe("CREDENTIALS_REFUSED");
  });

  it("is read again where it is remembered and the clock was set back", async () => {
    const { tryWith, clock } = await stage();
    const shown = await token({ claims: { nbf: nowSeconds - 10, exp: nowSeconds + 100 } });
    expect(await tryWith(shown)).toBe("alice");

    await clock.advance(-365 * 86_400_000);

    expect(await tryWith(shown)).toBe("CREDENTIALS_REFUSED");
  });

  it("is trusted no more when its key is taken out of the file", async () => {
    const { tryWith, clock, bundle } = await stage();
    const shown = await token();
    expect(await tryWith(shown)).toBe("alice");

    await writeFile(bundle, stranger.pem.cert);
    await clock.advance(1_000);

    expect(await tryWith(shown)).toBe("CREDENTIALS_REFUSED");
  });

  it.each<[unknown, Wish, boolean]>([
    [[{ type: "repository", name: "team/app", actions: ["pull"] }], pullApp, true],
    [[{ type: "repository", name: "team/app", actions: ["pull"] }], pushApp, false],
    [[{ type: "repository", name: "team/app", actions: ["*"] }], pushApp, true],
    [[{ type: "repository", class: "plugin", name: "team/app", actions: ["pull"] }], pullApp, true],
    [[{ type: "repository", name: "team/ap", actions: ["*"] }], pullApp, false],
    [[{ type: "registry", name: "team/app", actions: ["*"] }], pullApp, false],
    [[{ type: "repository", name: "team/app", actions: null }], pullApp, false],
    [[{ type: "repository", name: "team/app", actions: ["push"] }], pullApp, false],
    [null, pullApp, false],
    [
      [{ type: "registry", name: "catalog", actions: ["*"] }],
      { type: "registry", name: "catalog", action: "*" },
      true,
    ],
  ])("with access %j says of %j: %s", async (access, wish, expected) => {
    const { identify } = await stage();

    const grant = await identify(bearer(await token({ claims: { access } })));

    expect(grant.allows(wish)).toBe(expected);
    expect(grant.reach).toBe("some");
  });
});

it.each([
  ["", "there is no certificate in it"],
  ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be used"],
])("does not open with %j for certificates", async (text, message) => {
  await expect(stage({ bundle: text })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining(message),
  });
});

it("does not open with a key set that is none, and quotes nothing of it", async () => {
  const opening = stage({ keys: "s3cret" });

  await expect(opening).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(opening).rejects.not.toThrow("s3cret");
});
