import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import { digestOf, hexOf } from "../../oci/digest.ts";
import type { Attachment } from "../release.ts";
import {
  fakeKeySigner,
  fakeSigstore,
  pair,
  payloadFor,
  statementFor,
} from "../sigstore/sigstore.fake.ts";
import { openVerification, type VerifyOptions } from "./index.ts";
import { artifactContent, artifactName, type FakeSubject, openSubject } from "./subject.fake.ts";

const bytes = Buffer.from(artifactContent);
const digest = digestOf(bytes);
const manifest = digestOf("the manifest");
const sums = `${hexOf(digest)}  ${artifactName}\n`;
const identity = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.0";
const issuer = "https://token.actions.githubusercontent.com";
const { privateKey, publicKey } = pair();
const signer = fakeKeySigner(privateKey);

describe("signatures of cosign", () => {
  it("count where they are attached to what names the artifact", async ({ signal }) => {
    const { verify } = await open(await byKey());
    const attached = await simpleSigning(manifest);

    expect(await verify(await subjectWith({}, attached), { signal })).toMatchObject({
      kind: "sigstore",
      checked: `what is attached to ${manifest}, of registry.test/acme/app`,
      by: expect.stringContaining("cosign.pub (SHA256:"),
    });
  });

  it.each<[string, () => Promise<Record<string, string>>]>([
    ["a bundle", async () => ({ [`${artifactName}.sigstore.json`]: await signer.bundleOf(bytes) })],
    ["a signature", async () => ({ [`${artifactName}.sig`]: await detached(bytes) })],
    [
      "an attestation",
      async () => ({
        [`${artifactName}.intoto.jsonl`]: `${await signer.attested(statementFor(manifest))}\n${await signer.attested(statementFor(digest))}\n`,
      }),
    ],
    [
      "a bundle of the checksums",
      async () => ({
        "checksums.txt": sums,
        "checksums.txt.sigstore.json": await signer.bundleOf(Buffer.from(sums)),
      }),
    ],
    [
      "a signature of the checksums",
      async () => ({
        "checksums.txt": sums,
        "checksums.txt.sig": await detached(Buffer.from(sums)),
      }),
    ],
  ])("count where they lie beside the artifact: %s", async (_what, files) => {
    const { signal } = new AbortController();
    const beside = await files();
    const [place] = Object.keys(beside).slice(-1);

    const { verify } = await open(await byKey());

    expect(await verify(await openSubject({ beside }), { signal })).toMatchObject({
      checked: expect.stringContaining(place ?? "-"),
    });
  });

  it("say what was expected and what was found, each of it", async ({ signal }) => {
    const { verify } = await open(await byKey());
    const other = await simpleSigning(digestOf("another release"));
    const beside = { [`${artifactName}.sig`]: await detached(Buffer.from("other bytes")) };

    await expect(verify(await subjectWith({ beside }, other), { signal })).rejects.toMatchObject({
      code: "UNTRUSTED",
      message: expect.stringMatching(
        /^app_linux_amd64.tar.gz of v1.2.0: expected a signature by .*cosign.pub \(SHA256:\w+\), found what is attached to sha256:\w+: it is for sha256:\w+ \(registry.test\/acme\/app\), by .*; app_linux_amd64.tar.gz.sig: another key made it, or it is over something else$/,
      ),
    });
  });

  it("are no signatures of checksums that are of other bytes", async ({ signal }) => {
    const { verify } = await open(await byKey());
    const wrong = `${hexOf(manifest)}  ${artifactName}\n`;
    const beside = {
      SHA256SUMS: wrong,
      "SHA256SUMS.sigstore.json": await signer.bundleOf(Buffer.from(wrong)),
    };

    await expect(verify(await openSubject({ beside }), { signal })).rejects.toMatchObject({
      code: "MISMATCH",
    });
  });

  it("are waited for while the release is new, also where something else is attested", async () => {
    const { signal } = new AbortController();
    const { verify } = await open(await byKey());
    const report = statementFor(digest, "https://cosign.sigstore.dev/attestation/vuln/v1");
    const beside = { [`${artifactName}.sigstore.json`]: await signer.attested(report) };
    const foreign = await (await fakeSigstore()).signer({ identity, issuer });
    const certified = { [`${artifactName}.sigstore.json`]: await foreign.bundleOf(bytes) };
    const now = new Date();

    for (const [release, code] of [
      [{}, "MISSING"],
      [{ publishedAt: now }, "NOT_YET"],
      [{ beside }, "MISSING"],
      [{ beside, publishedAt: now }, "NOT_YET"],
      [{ beside: certified, publishedAt: now }, "NOT_YET"],
    ] as const) {
      await expect(verify(await openSubject(release), { signal })).rejects.toMatchObject({ code });
    }
  });

  it("leave what GnuPG calls .sig to others", async ({ signal }) => {
    const { verify } = await open(await byKey());
    const beside = { [`${artifactName}.sig`]: Buffer.from([0x89, 0x02, 0x33, 0x04]) };

    await expect(verify(await openSubject({ beside }), { signal })).rejects.toMatchObject({
      code: "MISSING",
    });
  });
});

describe("an identity", () => {
  it("is trusted by its certificate, with the time that the log tells", async ({ signal }) => {
    const { trustRoot, signer: certified } = await fakeSigstore();
    const text = await (await certified({ identity, issuer })).attested(statementFor(digest));
    const { verify } = await open(await byIdentity(trustRoot));

    const beside = { [`${artifactName}.sigstore.json`]: text };
    const evidence = await verify(await openSubject({ beside }), { signal });

    expect(evidence).toMatchObject({ kind: "sigstore", by: `${identity} (${issuer})` });
    const age = Date.now() - Date.parse(evidence?.signedAt ?? "");
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60_000);
  });

  it("needs a signature with a certificate beside it, in cosign's older form, and a log entry", async ({
    signal,
  }) => {
    const { trustRoot, signer: certified } = await fakeSigstore();
    const annotations = await (await certified({ identity, issuer })).annotationsOf(bytes);
    const beside = {
      [`${artifactName}.sig`]: annotations["dev.cosignproject.cosign/signature"] ?? "",
      [`${artifactName}.pem`]: annotations["dev.sigstore.cosign/certificate"] ?? "",
    };
    const { verify } = await open(await byIdentity(trustRoot));

    await expect(verify(await openSubject({ beside }), { signal })).rejects.toMatchObject({
      code: "UNTRUSTED",
      message: expect.stringContaining("nothing proves that it was signed while"),
    });
  });

  it("that is trusted now covers no release that another one signed", async ({ signal }) => {
    const { trustRoot, signer: certified } = await fakeSigstore();
    const options = await byIdentity(trustRoot);
    const text = await (await certified({ identity, issuer })).attested(statementFor(digest));
    const { verify, covers } = await open(options);
    const beside = { [`${artifactName}.sigstore.json`]: text };

    const evidence = await verify(await openSubject({ beside }), { signal });

    expect(covers(evidence)).toBe(true);
    for (const changed of [{ identity: `${identity}0` }, { issuer: "https://login.test" }]) {
      expect((await open({ ...options, ...changed })).covers(evidence)).toBe(false);
    }
    expect((await open({ ...options, predicateType: "spdx" })).covers(evidence)).toBe(false);
  });
});

describe("what cannot be meant", () => {
  it.each<[string, () => Promise<VerifyOptions>, RegExp]>([
    [
      "an identity alone",
      async () => ({ identity }),
      /^--verify-issuer and --verify-trust-root: is/,
    ],
    ["a trust root alone", async () => ({ trustRoot: "x" }), /^--verify-identity and --verify-iss/],
    [
      "a predicate of nobody",
      async () => ({ predicateType: "spdx" }),
      /^--verify-predicate: nobody/,
    ],
    [
      "a key and an identity",
      async () => ({ ...(await byKey()), ...(await byIdentity("{}")) }),
      /^--verify-key: .*cosign.pub and --verify-identity are both given/,
    ],
    ["no trust root", async () => byIdentity("[]"), /trusted_root.json is no trusted_root.json of/],
    ["half a trust root", async () => byIdentity('{"tlogs":[]}'), /is no trusted_root.json of/],
    [
      "no JSON",
      async () => byIdentity("PK"),
      /^--verify-trust-root: .* is no trusted_root.json of/,
    ],
    [
      "a private key",
      async () => ({
        keys: [await fileWith(privateKey.export({ type: "pkcs8", format: "pem" }), "cosign.key")],
      }),
      /cosign.key holds a private key, which does not belong here/,
    ],
    [
      "a broken key",
      async () => ({
        keys: [
          await fileWith("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n", "k.pub"),
        ],
      }),
      /k.pub holds a PUBLIC KEY that is no public key/,
    ],
  ])("is refused before anything starts: %s", async (_what, options, message) => {
    const opening = open(await options());

    await expect(opening).rejects.toBeInstanceOf(ConfigError);
    await expect(opening).rejects.toThrow(message);
  });
});

const open = (options: VerifyOptions) =>
  openVerification(options, { inQuery: undefined, clock: systemClock });

async function byKey(): Promise<VerifyOptions> {
  const pem = publicKey.export({ type: "spki", format: "pem" });
  return { keys: [await fileWith(pem, "cosign.pub")] };
}

async function byIdentity(trustRoot: string): Promise<VerifyOptions> {
  return { identity, issuer, trustRoot: await fileWith(trustRoot, "trusted_root.json") };
}

async function fileWith(text: string | Buffer, name: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "dewy-sigstore-")), name);
  await writeFile(path, text);
  return path;
}

async function detached(content: Buffer): Promise<string> {
  return (await signer.annotationsOf(content))["dev.cosignproject.cosign/signature"] ?? "";
}

async function simpleSigning(signed: string): Promise<Attachment> {
  const payload = payloadFor(signed);
  return {
    subject: manifest,
    artifactType: undefined,
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    annotations: await signer.annotationsOf(payload),
    bytes: payload,
  };
}

async function subjectWith(release: FakeSubject, attachment: Attachment) {
  const subject = await openSubject(release);
  async function* attachments() {
    yield attachment;
  }
  return { ...subject, siblings: { ...subject.siblings, attachments } };
}
