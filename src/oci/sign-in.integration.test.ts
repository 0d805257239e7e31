import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { openHttpClient } from "../base/http-client.ts";
import { openOciClient } from "./client.ts";
import { type CredentialSource, credentialsFrom } from "./credentials.ts";
import { serveFakeEcr } from "./ecr.fake.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "./oci.fake.ts";

it("exchanges the identity token that az acr login left, and never sends it elsewhere", async ({
  signal,
}) => {
  const { fake, client } = await setting(({ host }) => ({
    auths: {
      [host]: {
        auth: Buffer.from("00000000-0000-0000-0000-000000000000:").toString("base64"),
        identitytoken: "identity",
      },
    },
  }));
  fake.token = { identity: "identity", expiresIn: 300 };

  expect((await client.tags("acme/app", { signal }))?.tags).toEqual(["v1.0.0"]);
  expect(fake.requests).toContain("POST /token 200");
  expect(fake.authorizations.join()).not.toContain("identity");
});

it("says so when the identity token has expired, without showing it", async ({ signal }) => {
  const { fake, client } = await setting(({ host }) => ({
    auths: { [host]: { auth: "", identitytoken: "expired-s3cret" } },
  }));
  fake.token = { identity: "identity", expiresIn: 300 };

  const error = await client.tags("acme/app", { signal }).catch((one) => one);

  expect(error).toMatchObject({
    code: "UNAUTHORIZED",
    hint: expect.stringContaining("docker login"),
  });
  expect(error.message).not.toContain("s3cret");
});

it("follows ECR past the end of its password, which ECR would answer by 403", async ({
  signal,
}) => {
  const clock = new FakeClock();
  const ecr = await serveFakeEcr(() => clock.now());
  const environment = {
    AWS_ACCESS_KEY_ID: "AKID",
    AWS_SECRET_ACCESS_KEY: "s3cret-key",
    AWS_ENDPOINT_URL_ECR: ecr.url.href,
  };
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const source = credentialsFrom(environment, { http, clock });
  const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
  const { fake, client } = await setting(undefined, {
    clock,
    credentials: (_host, call) => source(host, call),
  });
  fake.basic = { user: "AWS", password: "s3cret-1" };

  for (let poll = 0; poll < 3; poll++) await client.tags("acme/app", { signal });
  expect(ecr.requests.length).toBe(1);
  expect(statuses(fake)).toEqual(["401", "200", "200", "200"]);

  await clock.advance(12 * 3_600_000);
  fake.basic = { user: "AWS", password: "s3cret-2" };
  await client.tags("acme/app", { signal });
  expect(ecr.requests.length).toBe(2);
  expect(statuses(fake)).toEqual(["401", "200"]);
  expect(fake.authorizations.at(-2)).toBeUndefined();
});

it("asks anonymously for one token for as long as that lasts", async ({ signal }) => {
  const clock = new FakeClock();
  const { fake, client } = await setting(undefined, { clock });
  fake.token = { expiresIn: 300 };

  for (let poll = 0; poll < 100; poll++) {
    await client.tags("acme/app", { signal });
    await client.headManifest("acme/app", "v1.0.0", { signal });
    await clock.advance(2_800);
  }

  expect(fake.requests.filter((line) => line.includes("/token")).length).toBe(1);
  await clock.advance(20_000);
  await client.tags("acme/app", { signal });
  expect(fake.requests.filter((line) => line.includes("/token")).length).toBe(2);
});

async function setting(
  dockerConfig?: (fake: FakeOciRegistry) => object,
  parts: { clock?: FakeClock; credentials?: CredentialSource } = {},
) {
  const fake = await serveFakeOciRegistry();
  fake.tag("acme/app", "v1.0.0", { schemaVersion: 2, layers: [] });
  const directory = await mkdtemp(join(tmpdir(), "dewy-sign-in-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const config = JSON.stringify(dockerConfig?.(fake) ?? {});
  await writeFile(join(directory, "config.json"), config);
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const { clock = new FakeClock() } = parts;
  const credentials =
    parts.credentials ?? credentialsFrom({ DOCKER_CONFIG: directory }, { http, clock });
  return { fake, client: openOciClient({ host: fake.host, credentials, http, clock }) };
}

/** How requests were answered since the last time. */
const statuses = (fake: FakeOciRegistry): string[] =>
  fake.requests.splice(0).map((line) => line.slice(-3));
