import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openVerification } from "../../src/agent/verify/index.ts";
import {
  artifactContent,
  artifactName,
  type FakeSubject,
  openSubject,
} from "../../src/agent/verify/subject.fake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { digestOf, hexOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";

const sums = `${hexOf(digestOf(artifactContent))}  ${artifactName}\n`;
const wrongSums = `${hexOf(digestOf("other"))}  ${artifactName}\n`;
const armoured = `${artifactName}.asc`;
const binary = `${artifactName}.sig`;

describeWith("gpg", "gpgv")("signatures of GnuPG", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "dewy-gpg-test-"));
    for (const name of ["alice", "bob"]) {
      const identity = `${name}@example.com`;
      const since = ["--faked-system-time", "20240101T000000!"];
      gpg([...since, "--passphrase", "", "--quick-gen-key", identity, "ed25519", "sign", "never"]);
      writeFileSync(file(`${name}.gpg`), gpg(["--export", identity]));
      writeFileSync(file(`${name}.asc`), gpg(["--armor", "--export", identity]));
    }
  }, 120_000);
  afterAll(() => {
    execFileSync("gpgconf", ["--homedir", home, "--kill", "all"]);
    rmSync(home, { recursive: true, force: true });
  });

  it.each<[string, string, () => FakeSubject["beside"], string]>([
    ["armoured, of the artifact", "alice.gpg", () => ({ [armoured]: signed() }), armoured],
    ["in binary", "alice.asc", () => ({ [binary]: signed({ armour: false }) }), binary],
    [
      "of its checksums",
      "alice.asc",
      () => ({ SHA256SUMS: sums, "SHA256SUMS.asc": signed({ content: sums }) }),
      "SHA256SUMS.asc",
    ],
    [
      "of two, where one key is known",
      "alice.gpg",
      () => ({ [binary]: Buffer.concat([by("bob"), by("alice")]) }),
      binary,
    ],
  ])("vouch for a release: %s", async (_what, key, beside, checked) => {
    const evidence = await verified([key], beside());

    expect(evidence).toMatchObject({
      ...{ kind: "gpg", checked, by: expect.stringMatching(/^key [0-9A-F]{40}$/) },
      signedAt: expect.stringMatching(/^20/),
    });
    expect(await verified(["bob.asc", "alice.asc"], beside())).toMatchObject({ kind: "gpg" });
  });

  it.each<[string, () => FakeSubject["beside"], string, RegExp]>([
    [
      "other bytes",
      () => ({ [armoured]: signed({ content: "x" }) }),
      "MISMATCH",
      /no signature of/,
    ],
    ["a stranger", () => ({ [armoured]: signed({ name: "bob" }) }), "UNTRUSTED", /not among those/],
    ["nobody", () => ({ [armoured]: "signed, honestly" }), "UNUSABLE", /no signature of OpenPGP/],
    ["nobody, as cosign's name", () => ({ [binary]: "MEUCIQ==" }), "MISSING", /no signature \(gpg/],
    [
      "somebody inside the text",
      () => ({ SHA256SUMS: sums, "SHA256SUMS.asc": signed({ content: sums, how: "--clearsign" }) }),
      "UNUSABLE",
      /holds its text itself/,
    ],
    [
      "checksums that are wrong",
      () => ({ SHA256SUMS: wrongSums, "SHA256SUMS.asc": signed({ content: wrongSums }) }),
      "MISMATCH",
      /SHA256SUMS expects/,
    ],
    ["SHA-1", () => ({ [armoured]: signed({ digest: "SHA1" }) }), "UNUSABLE", /cannot be checked/],
    [
      "a signature that has expired",
      () => ({ [armoured]: signed({ faked: "20250101T000000!", expires: "1d" }) }),
      "UNTRUSTED",
      /has expired/,
    ],
  ])("are refused: by or of %s", async (_what, beside, code, message) => {
    await expect(verified(["alice.gpg"], beside())).rejects.toMatchObject({
      ...{ code, message: expect.stringMatching(message) },
    });
  });

  it("are not checked by a private key", async () => {
    writeFileSync(
      file("secret.asc"),
      gpg(["--armor", "--export-secret-keys", "alice@example.com"]),
    );

    await expect(verified(["secret.asc"], {})).rejects.toThrow(/holds a private key/);
  });

  const file = (name: string) => join(home, name);

  function gpg(words: readonly string[], input = ""): Buffer {
    const always = ["--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback"];
    return execFileSync("gpg", [...always, ...words], { input, stdio: ["pipe", "pipe", "ignore"] });
  }

  const by = (name: string) => signed({ name, armour: false });

  function signed({
    name = "alice",
    content = artifactContent,
    armour = true,
    how = "--detach-sign",
    digest = "SHA512",
    faked = "",
    expires = "0",
  } = {}): Buffer {
    return gpg(
      [
        ...["--local-user", `${name}@example.com`, "--digest-algo", digest],
        ...["--default-sig-expire", expires, ...(armour ? ["--armor"] : [])],
        ...(faked ? ["--faked-system-time", faked, "--ignore-time-conflict"] : []),
        how,
      ],
      content,
    );
  }

  async function verified(keys: readonly string[], beside: FakeSubject["beside"]) {
    const options = { keys: keys.map(file) };
    const verification = await openVerification(options, {
      inQuery: undefined,
      clock: systemClock,
    });
    return verification.verify(await openSubject({ beside }), new AbortController());
  }
});
