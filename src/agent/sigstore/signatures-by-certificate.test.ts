import { describe, expect, it } from "vitest";
import {
  allForms,
  bundle,
  byIdentity,
  digest,
  identity,
  issuer,
  judged,
  manifest,
  other,
  refusalOf,
  simple,
} from "./judged.fake.ts";
import { fakeKeySigner, fakeSigstore, pair, payloadFor, statementFor } from "./sigstore.fake.ts";
import { fakeStampedSigstore } from "./stamped-sigstore.fake.ts";

describe("by a certificate", () => {
  it("takes every form that cosign and GitHub write", async () => {
    const sigstore = await fakeSigstore();
    const policy = await byIdentity(sigstore.trustRoot);

    for (const material of await allForms(await sigstore.signer({ identity, issuer }))) {
      expect(await judged([material], policy), material.form).toMatchObject({
        accepted: { signer: `${identity} (${issuer})` },
      });
    }
  });

  it("wants the identity whole, but for where it has a star", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const material = await bundle(
      (await signer({ identity, issuer })).attested(statementFor(digest)),
    );
    const under = async (wanted: string) => judged([material], await byIdentity(trustRoot, wanted));

    expect(await under(identity.replace("v1.0.0", "*"))).toHaveProperty("accepted.signer");
    for (const wanted of [identity.slice(0, -1), identity.slice(1), identity.replace(/\./g, "?")]) {
      expect(await under(wanted)).toMatchObject({
        refusals: [{ reason: `it is of ${identity} (${issuer})` }],
      });
    }
  });

  it("refuses the same identity by another issuer", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const foreign = await signer({ identity, issuer: "https://login.test" });

    const material = await bundle(foreign.attested(statementFor(digest)));

    expect(await refusalOf(material, await byIdentity(trustRoot))).toBe(
      `it is of ${identity} (https://login.test)`,
    );
  });

  it("shows in one line, and not for ever, what a signer calls himself", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const foreign = await signer({ identity: `https://x\n\u001b[2J/${"y".repeat(2000)}`, issuer });

    const material = await bundle(foreign.attested(statementFor(digest)));

    expect(await refusalOf(material, await byIdentity(trustRoot))).toMatch(
      /^it is of https:\/\/x \[2J\/y{400,500}…$/,
    );
  });

  it("refuses what another authority vouches for", async () => {
    const [ours, theirs] = [await fakeSigstore(), await fakeSigstore()];
    const policy = await byIdentity(ours.trustRoot);

    for (const material of await allForms(await theirs.signer({ identity, issuer }))) {
      expect(await refusalOf(material, policy)).toMatch(
        "its certificate is of no authority in the trust root (Failed to verify certificate chain",
      );
    }
  });

  it("takes any of several trust roots, one a line", async () => {
    const [ours, theirs] = [await fakeSigstore(), await fakeSigstore()];
    const policy = await byIdentity(`${ours.trustRoot}\n${theirs.trustRoot}\n`);

    for (const { signer } of [ours, theirs]) {
      for (const material of await allForms(await signer({ identity, issuer }))) {
        expect(await judged([material], policy)).toHaveProperty("accepted.signer");
      }
    }
  });

  it("takes a timestamp for a proof of the time, where the trust root names no log", async () => {
    const [ours, theirs] = [await fakeStampedSigstore(), await fakeStampedSigstore()];
    const policy = await byIdentity(ours.trustRoot);
    const stampedElsewhere = await byIdentity(
      JSON.stringify({
        ...JSON.parse(ours.trustRoot),
        timestampAuthorities: JSON.parse(theirs.trustRoot).timestampAuthorities,
      }),
    );

    for (const material of await allForms(await ours.signer({ identity, issuer }))) {
      // The older bundle of a blob has no room for one.
      if (material.form === "bundle" && material.text.includes("base64Signature")) continue;
      const { accepted } = await judged([material], policy);
      expect(accepted?.signer, material.form).toBe(`${identity} (${issuer})`);
      expect(accepted?.signedAt, material.form).toBeInstanceOf(Date);
      expect(await refusalOf(material, stampedElsewhere)).toMatch(
        "nothing proves that it was signed while its certificate was valid (timestamp could not",
      );
    }
  });

  it("refuses a certificate without a proof of the time", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const policy = await byIdentity(trustRoot);

    for (const material of await allForms(await signer({ identity, issuer, logs: false }))) {
      expect(await refusalOf(material, policy)).toMatch(
        "nothing proves that it was signed while its certificate was valid",
      );
    }
  });

  it("refuses a certificate that had expired when the log was told", async () => {
    const logAt = new Date(Date.now() + 3_600_000);
    const { trustRoot, signer } = await fakeSigstore({ logAt });
    const material = await bundle(
      (await signer({ identity, issuer })).attested(statementFor(digest)),
    );

    expect(await refusalOf(material, await byIdentity(trustRoot))).toMatch(
      "certificate is not valid or expired at the specified date",
    );
  });

  it("refuses a log entry that was changed, and one of another signature", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const policy = await byIdentity(trustRoot);
    const ours = await signer({ identity, issuer });
    const document = JSON.parse(await ours.attested(statementFor(digest)));
    const foreign = JSON.parse(await ours.attested(statementFor(other)));
    const [entry] = document.verificationMaterial.tlogEntries;

    entry.integratedTime = `${Number(entry.integratedTime) + 1}`;
    expect(await refusalOf(await bundle(JSON.stringify(document)), policy)).toMatch(
      "its entry in the transparency log is not vouched for by a log of the trust root",
    );
    document.verificationMaterial.tlogEntries = foreign.verificationMaterial.tlogEntries;
    expect(await refusalOf(await bundle(JSON.stringify(document)), policy)).toMatch(
      "its entry in the transparency log is of another signature",
    );
  });

  it("refuses content that was changed after it was signed", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const policy = await byIdentity(trustRoot);
    const ours = await signer({ identity, issuer });
    const document = JSON.parse(await ours.attested(statementFor(other)));
    const payload = Buffer.from(JSON.stringify(statementFor(digest))).toString("base64");
    document.dsseEnvelope.payload = payload;
    const signed = await simple(ours, payloadFor(other));

    for (const material of [
      await bundle(JSON.stringify(document)),
      { ...signed, payload: payloadFor(manifest) },
      await bundle(ours.bundleOf(Buffer.from("something else"))),
    ]) {
      expect(await refusalOf(material, policy)).toMatch(
        /is of another signature|is over something else/,
      );
    }
  });

  it("refuses a signature by a key", async () => {
    const { trustRoot } = await fakeSigstore();
    const policy = await byIdentity(trustRoot);

    for (const material of await allForms(fakeKeySigner(pair().privateKey))) {
      expect(await refusalOf(material, policy)).toMatch(
        "it was made by a key, and a certificate is demanded",
      );
    }
  });
});
