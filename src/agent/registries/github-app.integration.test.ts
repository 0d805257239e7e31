import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { type FakeGithub, serveFakeGithub } from "./github.fake.ts";
import { openReleaseRegistry } from "./index.ts";

const minute = 60_000;

const { privateKey: ed25519 } = generateKeyPairSync("ed25519");

describe("a GitHub App", () => {
  it.each(["pkcs1", "pkcs8"] as const)("signs in with a key of %s", async (type) => {
    const { fake, tags } = await setting();
    const pem = String(fake.app.key.export({ type, format: "pem" }));

    expect(await tags({ GITHUB_APP_PRIVATE_KEY: pem })).toEqual(["v1.0.0"]);
    expect(await tags({ GITHUB_APP_PRIVATE_KEY: pem.replaceAll("\n", "\\n") })).toEqual(["v1.0.0"]);
  });

  it("reads its key from a file, and again for each token", async () => {
    const { fake, clock, open } = await setting();
    const directory = await mkdtemp(join(tmpdir(), "dewy-app-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, "app.pem");
    const { GITHUB_APP_PRIVATE_KEY: pem = "" } = fake.app.environment;
    await writeFile(path, otherKey);
    const registry = await open({
      GITHUB_APP_PRIVATE_KEY: "",
      GITHUB_APP_PRIVATE_KEY_PATH: path,
    });
    const call = { signal: AbortSignal.timeout(5000) };

    await expect(registry.tags(call)).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("does not accept the App's signature (401)"),
      hint: expect.stringContaining("clock of this host"),
    });
    await writeFile(path, pem);
    expect(await registry.tags(call)).toEqual(["v1.0.0"]);

    await rm(path);
    await clock.advance(60 * minute);
    await expect(registry.tags(call)).rejects.toThrow("app.pem (ENOENT)");
  });

  it("keeps a token until less than five minutes of it remain", async ({ signal }) => {
    const { fake, clock, open } = await setting();
    const registry = await open();

    await registry.tags({ signal });
    await clock.advance(54 * minute);
    await registry.tags({ signal });
    expect(fake.app.issued.length).toBe(1);

    await clock.advance(1 * minute);
    await registry.tags({ signal });
    expect(fake.app.issued.length).toBe(2);
  });

  it("asks for one token however many want one", async ({ signal }) => {
    const { fake, open } = await setting();
    const registry = await open();

    await Promise.all([1, 2, 3].map(() => registry.tags({ signal })));

    expect(fake.app.issued.length).toBe(1);
  });

  it("asks for another token when the one it has is refused, and once", async ({ signal }) => {
    const { fake, open } = await setting();
    const registry = await open();
    await registry.tags({ signal });

    fake.app.revoked.add(fake.app.issued[0] ?? "");
    expect(await registry.tags({ signal })).toEqual(["v1.0.0"]);
    expect(fake.app.issued.length).toBe(2);

    fake.app.isValid = () => false;
    await expect(registry.tags({ signal })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("does not accept the App's token (401)"),
    });
    expect(fake.app.issued.length).toBe(3);
  });

  it("says so when there is no such installation", async () => {
    const { tags } = await setting();

    await expect(tags({ GITHUB_APP_INSTALLATION_ID: "1" })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("no such installation"),
      hint: expect.stringContaining("GITHUB_APP_INSTALLATION_ID"),
    });
  });

  it("does not show what came instead of a token", async () => {
    const { fake, tags } = await setting();
    fake.app.answerTo = () => ({ status: 201, body: { token: 7, expires_at: "s3cret" } });

    const error = await tags().catch((failure) => failure);

    expect(error).toMatchObject({ code: "INVALID_ANSWER" });
    expect(inspect(error)).not.toContain("s3cret");
  });

  it("is preferred to a token", async () => {
    const { fake, tags } = await setting();

    await tags({ GH_TOKEN: "other", GITHUB_TOKEN: "other" });

    expect(fake.app.issued.length).toBe(1);
  });

  it.each([
    [
      { GITHUB_APP_INSTALLATION_ID: "" },
      "GITHUB_APP_ID is set, but not GITHUB_APP_INSTALLATION_ID",
    ],
    [
      { GITHUB_APP_INSTALLATION_ID: "", GITHUB_APP_PRIVATE_KEY: "" },
      "not GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_PATH)",
    ],
    [{ GITHUB_APP_INSTALLATION_ID: "acme" }, "GITHUB_APP_INSTALLATION_ID: this is not a number"],
    [{ GITHUB_APP_ID: "my app" }, "GITHUB_APP_ID: this is neither"],
    [
      { GITHUB_APP_PRIVATE_KEY: "s3cret" },
      "GITHUB_APP_PRIVATE_KEY: this is not an RSA private key",
    ],
    [
      { GITHUB_APP_PRIVATE_KEY: String(ed25519.export({ type: "pkcs8", format: "pem" })) },
      "GITHUB_APP_PRIVATE_KEY: this is not an RSA private key",
    ],
    [
      { GITHUB_APP_PRIVATE_KEY: "", GITHUB_APP_PRIVATE_KEY_PATH: "/nowhere/app.pem" },
      "GITHUB_APP_PRIVATE_KEY_PATH: cannot read /nowhere/app.pem (ENOENT)",
    ],
  ])("is refused at the start with %o", async (change, message) => {
    const { open } = await setting();

    const error = await open({ ...change, GH_TOKEN: "never tried instead" }).catch((one) => one);

    expect(error).toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
    expect(error.message).not.toContain("s3cret");
  });
});

const otherKey = String(
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }),
);

async function setting() {
  const clock = new FakeClock();
  const fake: FakeGithub = await serveFakeGithub(() => clock.now());
  fake.publish("v1.0.0", {});
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const open = async (change: Record<string, string> = {}) => {
    const environment = { ...fake.app.environment, GITHUB_API_URL: fake.api, ...change };
    return (await openReleaseRegistry("ghr://acme/app", { http, clock, environment })).registry;
  };
  const tags = async (change?: Record<string, string>) =>
    (await open(change)).tags({ signal: AbortSignal.timeout(5000) });
  return { fake, clock, open, tags };
}
