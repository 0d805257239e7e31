import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openSigningKey } from "./signing-key.ts";

it("makes a key that nobody else can read, and takes the same one the next time", async () => {
  const { path, parts } = await stage();

  const first = await (await openSigningKey(path, parts)).current();
  const second = await (await openSigningKey(path, parts)).current();

  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(second.id).toBe(first.id);
  expect(first.keys.find(first.id)?.algorithm).toBe("ES256");
  expect(first.keys.find("another")).toBeUndefined();
  expect(JSON.stringify(parts.logger.lines)).not.toContain("PRIVATE");
});

it("makes one key when many start at once, and leaves nothing else behind", async () => {
  const { path, directory, parts } = await stage();

  const files = await Promise.all(Array.from({ length: 8 }, () => openSigningKey(path, parts)));

  const ids = await Promise.all(files.map(async (file) => (await file.current()).id));
  expect(new Set(ids).size).toBe(1);
  expect(await readdir(directory)).toEqual(["key.pem"]);
});

it("takes another key as soon as it is there", async () => {
  const { path, parts } = await stage();
  const file = await openSigningKey(path, parts);
  const { id } = await file.current();

  await writeFile(path, pemOf("P-256"));
  await parts.clock.advance(1_000);

  expect((await file.current()).id).not.toBe(id);
});

it.each([
  ["of another curve", pemOf("P-384"), "it is not one for ECDSA on P-256"],
  ["that is none", "-----BEGIN PRIVATE KEY-----\nhunter22\n", "it is not a private key in PEM"],
  ["that is empty", "", "it is not a private key in PEM"],
])("does not open with a key %s", async (_what, text, message) => {
  const { path, parts } = await stage();
  await writeFile(path, text);

  const error = await openSigningKey(path, parts).catch((error: unknown) => error);

  expect(error).toMatchObject({ code: "UNAVAILABLE", hint: expect.any(String) });
  expect(String(error)).toContain(`${path} cannot be used: ${message}`);
  expect(String(error)).not.toContain("hunter22");
  expect(await readFile(path, "utf8")).toBe(text);
});

it("says what to do where no key can be made", async () => {
  const { path, parts } = await stage();
  await writeFile(path, "");

  await expect(openSigningKey(join(path, "key.pem"), parts)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    hint: expect.stringContaining("auth.tokenserver.key"),
  });
});

it("warns of a key that everybody can read", async () => {
  const { path, parts } = await stage();
  await writeFile(path, pemOf("P-256"));
  await chmod(path, 0o644);

  await openSigningKey(path, parts);

  expect(parts.logger.lines).toEqual([
    expect.objectContaining({ level: "warn", fields: { path, hint: `chmod 600 ${path}` } }),
  ]);
});

function pemOf(namedCurve: string): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

async function stage() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-key-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const parts = { clock: new FakeClock(), logger: new FakeLogger() };
  return { directory, path: join(directory, "key.pem"), parts };
}
