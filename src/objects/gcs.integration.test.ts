import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { openHttpClient } from "../base/http-client.ts";
import { type FakeGcs, serveFakeGcs } from "./gcs.fake.ts";
import { openGcsStore } from "./gcs.ts";
import { objectStoreContract } from "./object-store.contract.ts";

objectStoreContract("Cloud Storage", async () => {
  const fake = await serveFakeGcs();
  return { store: open(fake), put: fake.bucket.put };
});

describe("Cloud Storage", () => {
  it("signs its tokens with a service-account key, and is refused with another", async () => {
    const fake = await serveFakeGcs();
    fake.bucket.put("key", "content");

    await expect(open(fake).stat("key", calm())).resolves.toMatchObject({ sizeBytes: 7 });

    fake.isEmulator = true; // does not take tokens
    await expect(open(fake).stat("key", calm())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  it.each(["host and port", "URL"])("sends an emulator no token, named by its %s", async (form) => {
    const fake = await serveFakeGcs();
    fake.isEmulator = true;
    fake.bucket.put("key", "content");
    const host = form === "URL" ? fake.url.href : fake.url.host;

    const store = open(fake, { STORAGE_EMULATOR_HOST: host });

    await expect(store.stat("key", calm())).resolves.toMatchObject({ sizeBytes: 7 });
  });

  it("refuses an emulator that is no host", async () => {
    const fake = await serveFakeGcs();

    expect(() => open(fake, { STORAGE_EMULATOR_HOST: "ftp://x" })).toThrow("STORAGE_EMULATOR_HOST");
  });

  it("says which key file cannot be used, and not what is in it", async () => {
    const fake = await serveFakeGcs();
    const file = fake.environment.GOOGLE_APPLICATION_CREDENTIALS ?? "";
    await writeFile(file, '{"private_key": "s3cret", ');

    const error = await open(fake)
      .stat("key", calm())
      .catch((thrown) => thrown);

    expect(error).toMatchObject({ name: "ObjectStoreError", code: "UNAUTHORIZED" });
    expect(error.message).toContain(file);
    expect(error.message + error.hint).not.toContain("s3cret");
    expect(fake.requests).toEqual([]);
  });

  it("takes a key that was renewed, without a restart", async () => {
    const fake = await serveFakeGcs();
    const file = fake.environment.GOOGLE_APPLICATION_CREDENTIALS ?? "";
    const good = await readFile(file, "utf8");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const revoked = privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(file, JSON.stringify({ ...JSON.parse(good), private_key: revoked }));
    const store = open(fake);

    await expect(store.stat("key", calm())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await writeFile(file, good);

    await expect(store.stat("key", calm())).resolves.toBeUndefined();
  });

  it("says which role it takes to write", async () => {
    const fake = await serveFakeGcs();
    fake.refuse = { status: 403, headers: {} };

    await expect(open(fake).put("key", Buffer.of(), {}, calm())).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("may not write the bucket releases"),
      hint: expect.stringContaining("Storage Object User"),
    });
  });

  it("tells an answer that is not Cloud Storage's from an empty listing", async () => {
    const fake = await serveFakeGcs();
    fake.refuse = { status: 200, headers: {} };

    await expect(open(fake).stat("key", calm())).rejects.toMatchObject({ code: "INVALID_ANSWER" });
  });
});

function open(fake: FakeGcs, environment: Record<string, string> = fake.environment) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const isEmulator = "STORAGE_EMULATOR_HOST" in environment;
  return openGcsStore({
    bucket: "releases",
    environment,
    http: isEmulator ? http : fake.redirected(http),
    clock: new FakeClock(),
  });
}

const calm = () => ({ signal: AbortSignal.timeout(10_000) });
