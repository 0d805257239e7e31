import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import { digestOf, hexOf } from "../../oci/digest.ts";
import { openVerification, type VerifyOptions } from "./index.ts";
import { fakeMinisigner } from "./minisign.fake.ts";
import { artifactContent, artifactName, type FakeSubject, openSubject } from "./subject.fake.ts";

const hex = hexOf(digestOf(artifactContent));
const wrongHex = hexOf(digestOf("other bytes"));
const sums = `${hex}  ${artifactName}\n`;
const wrongSums = `${wrongHex}  ${artifactName}\n`;
const signer = fakeMinisigner();
const key = `minisign:${signer.line}`;

const open = (options: VerifyOptions) =>
  openVerification(options, { inQuery: undefined, clock: systemClock });

async function verified(options: VerifyOptions, release: FakeSubject) {
  const { signal } = new AbortController();
  return (await open(options)).verify(await openSubject(release), { signal });
}

describe("a checksum", () => {
  it.each([
    ["the registry's digest", { announces: true }, "the digest that fake://app announces"],
    ["SHA256SUMS", { beside: { SHA256SUMS: sums } }, "SHA256SUMS"],
    [".sha256", { beside: { [`${artifactName}.sha256`]: hex } }, `${artifactName}.sha256`],
    [
      ".sha512",
      { beside: { [`${artifactName}.sha512`]: hexOf(digestOf(artifactContent, "sha512")) } },
      `${artifactName}.sha512`,
    ],
    [
      "all there are",
      { announces: true, beside: { "checksums.txt": sums, [`${artifactName}.sha256`]: sums } },
      `${artifactName}.sha256, checksums.txt, the digest that fake://app announces`,
    ],
  ])("vouches for a release where it is right: %s", async (_what, release, checked) => {
    const found = { kind: "checksum", checked };

    expect(await verified({}, release)).toMatchObject(found);
    expect(await verified({ policy: "checksum" }, release)).toMatchObject(found);
  });

  it.each<[string, FakeSubject["beside"]]>([
    ["SHA256SUMS", { SHA256SUMS: wrongSums }],
    ["the artifact's own", { [`${artifactName}.sha256`]: wrongHex, SHA256SUMS: sums }],
    ["one of two lines", { SHA256SUMS: sums + wrongSums }],
    ["the second file", { SHA256SUMS: sums, "checksums.txt": wrongSums }],
  ])("says what was expected and what was found where it is wrong: %s", async (_what, beside) => {
    await expect(verified({}, { beside, announces: true })).rejects.toMatchObject({
      code: "MISMATCH",
      message: expect.stringContaining(`expects sha256:${wrongHex}, received sha256:${hex}`),
    });
  });

  it("of another file alone says nothing", async () => {
    const beside = { "other.zip": "", "other.zip.sha256": wrongHex, "app_checksums.txt": "" };

    expect(await verified({}, { beside })).toBeUndefined();
  });

  it("is demanded where somebody asks for it, and only then", async () => {
    expect(await verified({}, {})).toBeUndefined();
    await expect(verified({ policy: "checksum" }, {})).rejects.toMatchObject({
      code: "MISSING",
      message: `${artifactName} of v1.2.0 has no checksum: beside it there is nothing`,
    });
  });

  it("is no matter of the release's while its files may still be being uploaded", async () => {
    const release = { publishedAt: new Date() };

    await expect(verified({ policy: "checksum" }, release)).rejects.toMatchObject({
      code: "NOT_YET",
    });
  });

  it("is not looked at when it is off", async () => {
    expect(
      await verified({ policy: "off" }, { beside: { SHA256SUMS: wrongSums } }),
    ).toBeUndefined();
  });

  it("that cannot be read is refused", async () => {
    const beside = { [`${artifactName}.sha256`]: "404 not found" };

    await expect(verified({}, { beside })).rejects.toMatchObject({ code: "UNUSABLE" });
    const large = { SHA256SUMS: "x".repeat(1024 * 1024 + 1) };
    await expect(verified({}, { beside: large })).rejects.toMatchObject({ code: "UNUSABLE" });
  });
});

describe("minisign", () => {
  const own = `${artifactName}.minisig`;

  it.each([
    ["of the artifact", { [own]: signer.sign(artifactContent) }, own],
    ["of the old form", { [own]: signer.sign(artifactContent, { isHashed: false }) }, own],
    [
      "of its checksums",
      { SHA256SUMS: sums, "SHA256SUMS.minisig": signer.sign(sums) },
      "SHA256SUMS.minisig",
    ],
    [
      "of its checksums, in the old form",
      { SHA256SUMS: sums, "SHA256SUMS.minisig": signer.sign(sums, { isHashed: false }) },
      "SHA256SUMS.minisig",
    ],
  ])("vouches by a signature %s", async (_what, beside, checked) => {
    const evidence = await verified({ keys: [key] }, { beside });

    expect(evidence).toMatchObject({
      ...{ kind: "minisign", checked, by: expect.stringMatching(/^key [0-9A-F]{16}$/) },
      signedAt: "2026-01-01T00:00:00.000Z",
    });
  });

  it("takes a key from a file, and one of several", async () => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-key-"));
    await writeFile(join(directory, "app.pub"), signer.publicKey);
    const keys = [`minisign:${fakeMinisigner().line}`, join(directory, "app.pub")];

    const beside = { [own]: signer.sign(artifactContent) };
    expect(await verified({ keys }, { beside })).toMatchObject({ kind: "minisign" });
  });

  const changedComment = signer.sign(artifactContent).replace("1767225600", "1893456000");

  it.each<[string, FakeSubject["beside"], string, RegExp]>([
    ["none", {}, "MISSING", /has no signature \(minisign.*\): beside it there is nothing/],
    ["one of other bytes", { [own]: signer.sign("other") }, "MISMATCH", /no signature of this/],
    ["a changed trusted comment", { [own]: changedComment }, "MISMATCH", /no signature of this/],
    [
      "a stranger's",
      { [own]: fakeMinisigner().sign(artifactContent) },
      "UNTRUSTED",
      /signed by the key [0-9A-F]{16}, and trusted is [0-9A-F]{16}/,
    ],
    ["what is none", { [own]: "signed, honestly" }, "UNTRUSTED", /is no signature of minisign/],
    [
      "one of another file",
      {
        [own]: signer.sign(artifactContent, { comment: "timestamp:1\tfile:other.tar.gz\thashed" }),
      },
      "MISMATCH",
      /was made for a file called other.tar.gz/,
    ],
    [
      "one of checksums that are wrong",
      { SHA256SUMS: wrongSums, "SHA256SUMS.minisig": signer.sign(wrongSums) },
      "MISMATCH",
      /SHA256SUMS expects/,
    ],
    [
      "one of checksums that were changed",
      { SHA256SUMS: sums, "SHA256SUMS.minisig": signer.sign(wrongSums) },
      "MISMATCH",
      /no signature of this SHA256SUMS/,
    ],
  ])("refuses a release with %s", async (_what, beside, code, message) => {
    await expect(verified({ keys: [key] }, { beside })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe("a policy", () => {
  it.each<[string, VerifyOptions, RegExp]>([
    ["signatures by nobody", { policy: "signature" }, /signature needs somebody to trust/],
    ["a key with checksums", { policy: "checksum", keys: [key] }, /looks at no signature/],
    ["a key that is none", { keys: ["minisign:nonsense"] }, /holds no public key/],
    ["a file that is not there", { keys: ["/nowhere/app.pub"] }, /cannot be read/],
  ])("cannot be %s", async (_what, options, message) => {
    await expect(open(options)).rejects.toThrow(ConfigError);
    await expect(open(options)).rejects.toThrow(message);
  });

  it("may stand in the registry URL, and must not contradict the option", async () => {
    const inQuery = "checksum";

    const { policy } = await openVerification({}, { inQuery, clock: systemClock });
    expect(policy).toBe("checksum");
    await expect(
      openVerification({ policy: "off" }, { inQuery, clock: systemClock }),
    ).rejects.toThrow("--verify is off, and the query of --registry has verify=checksum");
  });

  it("covers what satisfied it, and no weaker or other evidence", async () => {
    const beside = { SHA256SUMS: sums, "SHA256SUMS.minisig": signer.sign(sums) };
    const signed = await verified({ keys: [key] }, { beside });
    const summed = await verified({}, { beside });
    const coveredBy = async (options: VerifyOptions) => {
      const { covers } = await open(options);
      return [signed, summed, undefined].map(covers);
    };

    expect(await coveredBy({})).toEqual([true, true, true]);
    expect(await coveredBy({ policy: "checksum" })).toEqual([true, true, false]);
    expect(await coveredBy({ keys: [key] })).toEqual([true, false, false]);
    const others = [`minisign:${fakeMinisigner().line}`];
    expect(await coveredBy({ keys: others })).toEqual([false, false, false]);
  });
});
