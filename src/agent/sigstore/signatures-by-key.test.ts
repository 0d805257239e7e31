import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  allForms,
  bundle,
  byKey,
  digest,
  judged,
  manifest,
  other,
  provenance,
  refusalOf,
  simple,
} from "./judged.fake.ts";
import type { SignedMaterial } from "./signed-material.ts";
import { predicateTypeFor } from "./signer-policy.ts";
import { fakeKeySigner, pair, payloadFor, statementFor } from "./sigstore.fake.ts";

describe("by a key", () => {
  it.each([
    ["ECDSA", () => pair()],
    ["Ed25519", () => generateKeyPairSync("ed25519")],
    ["RSA", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ])("takes every form that cosign writes with a key of the kind %s", async (_, generate) => {
    const { privateKey, publicKey } = generate();
    const policy = byKey(publicKey);

    for (const material of await allForms(fakeKeySigner(privateKey))) {
      expect(await judged([material], policy), material.form).toMatchObject({
        accepted: { signer: expect.stringMatching(/^cosign\.pub \(SHA256:[\da-f]{16}\)$/) },
      });
    }
  });

  it("refuses every form by another key", async () => {
    for (const material of await allForms(fakeKeySigner(pair().privateKey))) {
      expect(await refusalOf(material, byKey(pair().publicKey))).toBe(
        "another key made it, or it is over something else",
      );
    }
  });

  it("says which image a signature is for, when it is another one", async () => {
    const { privateKey, publicKey } = pair();
    const signer = fakeKeySigner(privateKey);
    const payload = payloadFor(other, "registry.test/acme/other");

    expect(await refusalOf(await simple(signer, payload), byKey(publicKey))).toMatch(
      `it is for ${other} (registry.test/acme/other), by cosign.pub (SHA256:`,
    );
    const attested = await bundle(signer.attested(statementFor(other)));
    expect(await refusalOf(attested, byKey(publicKey))).toMatch(
      `it is for ${other}, by cosign.pub`,
    );
    const blob = await bundle(signer.bundleOf(Buffer.from("something else")));
    expect(await refusalOf(blob, byKey(publicKey))).toMatch("it is over something else");
  });

  it("takes a signature of the artifact alone, whatever it is attached to", async () => {
    const { privateKey, publicKey } = pair();
    const attested = await bundle(fakeKeySigner(privateKey).attested(statementFor(digest)));

    expect(await judged([attested], byKey(publicKey))).toHaveProperty("accepted.place", "a bundle");
  });

  it("takes one that fits among others, and tells of the others only when none does", async () => {
    const { privateKey, publicKey } = pair();
    const fitting = await simple(fakeKeySigner(privateKey), payloadFor(manifest));
    const foreign = await simple(fakeKeySigner(pair().privateKey), payloadFor(manifest));

    expect(await judged([foreign, fitting], byKey(publicKey))).toHaveProperty("accepted.signer");
    expect(await judged([foreign, foreign], byKey(publicKey))).toHaveProperty("refusals.length", 2);
    expect(await judged([], byKey(publicKey))).toEqual({ accepted: undefined, refusals: [] });
  });

  it("takes any of several keys", async () => {
    const [old, next] = [pair(), pair()];
    const policy = byKey(old.publicKey, next.publicKey);

    const material = await simple(fakeKeySigner(next.privateKey), payloadFor(manifest));

    expect(await judged([material], policy)).toHaveProperty("accepted.signer");
  });

  it("reports the name that the image was signed under", async () => {
    const { privateKey, publicKey } = pair();
    const material = await simple(fakeKeySigner(privateKey), payloadFor(manifest, "ghcr.io/a/b"));

    expect(await judged([material], byKey(publicKey))).toHaveProperty(
      "accepted.reference",
      "ghcr.io/a/b",
    );
  });

  it("refuses a payload that was changed after it was signed", async () => {
    const { privateKey, publicKey } = pair();
    const signed = await simple(fakeKeySigner(privateKey), payloadFor(other));

    const material = { ...signed, payload: payloadFor(manifest) };

    expect(await refusalOf(material, byKey(publicKey))).toMatch("another key made it");
  });

  it.each([
    ["its bundle is not JSON", "{"],
    ["its bundle holds neither an envelope nor a signature", "{}"],
    ["its bundle holds neither an envelope nor a signature", "null"],
  ])("says %j of %j", async (reason, text) => {
    const material: SignedMaterial = { form: "bundle", place: "here", papers: {}, text };

    expect(await refusalOf(material, byKey(pair().publicKey))).toBe(reason);
  });
});

describe("what is attested", () => {
  const { privateKey, publicKey } = pair();
  const signer = fakeKeySigner(privateKey);

  it("is no approval when it is only a report about the artifact", async () => {
    const vulnerable = predicateTypeFor("vuln");
    const material = await bundle(signer.attested(statementFor(manifest, vulnerable)));

    expect(await refusalOf(material, byKey(publicKey))).toMatch(
      `it attests ${vulnerable}, by cosign`,
    );
  });

  it("has to be of the kind that is demanded", async () => {
    const policy = { ...byKey(publicKey), predicateType: predicateTypeFor("slsaprovenance1") };
    const attested = await bundle(signer.attested(statementFor(manifest, provenance)));

    expect(await judged([attested], policy)).toHaveProperty("accepted.predicateType", provenance);
    expect(await refusalOf(await simple(signer, payloadFor(manifest)), policy)).toMatch(
      "it is a signature without an attestation",
    );
    const signed = await bundle(signer.attested(statementFor(manifest)));
    expect(await refusalOf(signed, policy)).toMatch(
      "it attests https://sigstore.dev/cosign/sign/v1",
    );
  });
});
