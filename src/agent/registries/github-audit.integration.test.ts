import { expect, it, onTestFinished } from "vitest";
import { streamOf } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { type HttpClient, openHttpClient } from "../../base/http-client.ts";
import type { DeploymentReport } from "../release.ts";
import { type FakeGithub, serveFakeGithub } from "./github.fake.ts";
import { openReleaseRegistry } from "./index.ts";

const now = new Date("2026-01-01T00:00:00Z");

it("leaves a text file with the release, at the place that the answer names", async ({
  signal,
}) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { "app.zip": "1" });
  const registry = await follow(fake);

  await registry.report?.(reportOf("v1.0.0"), { signal });

  const [app, record] = fake.releases[0]?.assets ?? [];
  const name = record?.name ?? "";
  expect(app).toMatchObject({ name: "app.zip" });
  expect(name).toMatch(/^shipped_to_web-1_server_at_20260102T030405\.678\d{6}Z\.txt$/);
  expect(record?.content).toBe(name.replaceAll("_", " ").replace(".txt", ""));
  expect(fake.requests.at(-1)).toBe(`POST /repos/acme/app/releases/v1.0.0/assets?name=${name}`);
});

it("does not take the token to a place that is less safe than the API", async ({ signal }) => {
  const asked: string[] = [];
  const release = {
    ...{ tag_name: "v1.0.0", draft: false, published_at: null, assets: [] },
    upload_url: "http://uploads.test/assets{?name,label}",
  };
  const http: HttpClient = {
    async request({ url }) {
      asked.push(String(url));
      const body = streamOf(Buffer.from(JSON.stringify([release])));
      const shown = { conceal: (text: string) => text, discard() {} };
      return { status: 200, headers: {}, body, url: new URL(url), ...shown };
    },
    close() {},
  };
  const environment = { GH_TOKEN: "s3cret", GITHUB_API_URL: "https://github.test/api/v3" };
  const parts = { http, clock: new FakeClock(now), environment };
  const { registry } = await openReleaseRegistry("ghr://acme/app", parts);

  await expect(registry.report?.(reportOf("v1.0.0"), { signal })).rejects.toMatchObject({
    code: "INVALID_ANSWER",
  });
  expect(asked).toEqual(["https://github.test/api/v3/repos/acme/app/releases?per_page=100"]);
});

it("complains once where the token may only read", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { "app.zip": "1" });
  fake.mayWrite = false;
  const registry = await follow(fake);

  await expect(registry.report?.(reportOf("v1.0.0"), { signal })).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    hint: expect.stringContaining("write access to the contents"),
  });
  await expect(registry.report?.(reportOf("v1.0.0"), { signal })).resolves.toBeUndefined();

  fake.mayWrite = true;
  await registry.report?.(reportOf("v1.0.0"), { signal });
  expect(fake.releases[0]?.assets).toHaveLength(2);
});

it("says that a release takes no more files, and what to do", async ({ signal }) => {
  const fake = await serveFakeGithub();
  const files = Array.from({ length: 1000 }, (_, number) => [`file-${number}`, "1"]);
  fake.publish("v1.0.0", Object.fromEntries(files));
  const registry = await follow(fake);

  await expect(registry.report?.(reportOf("v1.0.0"), { signal })).rejects.toMatchObject({
    message: expect.stringContaining("it has 1000 files"),
    hint: expect.stringContaining("shipped_to_"),
  });
});

it("replaces the oldest of the same host, when there are many", async ({ signal }) => {
  const fake = await serveFakeGithub();
  const day = (number: number) => `202511${String(number).padStart(2, "0")}T000000.1Z`;
  const old = Array.from({ length: 20 }, (_, number) => [
    `shipped_to_web-1_server_at_${day(number + 1)}.txt`,
    "",
  ]);
  const others = { "shipped_to_web-2_server_at_20240101T000000Z.txt": "", "app.zip": "1" };
  fake.publish("v1.0.0", { ...Object.fromEntries(old), ...others });
  const registry = await follow(fake);

  await registry.report?.(reportOf("v1.0.0"), { signal });

  const names = fake.releases[0]?.assets.map(({ name }) => name) ?? [];
  expect(names.filter((name) => name.includes("web-1"))).toHaveLength(20);
  expect(names).not.toContain(old[0]?.[0]);
  expect(names).toEqual(expect.arrayContaining(Object.keys(others)));
});

it("says so where the release is gone", async ({ signal }) => {
  const fake = await serveFakeGithub();
  const registry = await follow(fake);

  await expect(registry.report?.(reportOf("v9.9.9"), { signal })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

async function follow(fake: FakeGithub) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const environment = { GITHUB_TOKEN: fake.token, GITHUB_API_URL: fake.api };
  const parts = { http, clock: new FakeClock(now), environment };
  return (await openReleaseRegistry("ghr://acme/app", parts)).registry;
}

function reportOf(tag: string): DeploymentReport {
  const at = new Date("2026-01-02T03:04:05.678Z");
  return { tag, identity: "one", command: "server", host: "Web-1", at, error: undefined };
}
