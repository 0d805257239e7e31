import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { openHttpClient } from "../base/http-client.ts";
import { bodyOf, serve } from "../base/local-server.fake.ts";
import type { Credential } from "./credential.ts";
import { credentialsFrom } from "./credentials.ts";
import { serveFakeEcr } from "./ecr.fake.ts";

const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const hour = 3_600_000;
const named = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "s3cret-key" };

describe("credentials for Amazon ECR", () => {
  it("are a token for the keys of the environment, kept until shortly before it expires", async () => {
    const { fake, clock, ask } = await setting(named);

    expect(shown(await ask(host))).toBe("AWS s3cret-1");
    await clock.advance(11.5 * hour);
    expect(shown(await ask(host))).toBe("AWS s3cret-1");
    await clock.advance(0.4 * hour);
    expect(shown(await ask(host))).toBe("AWS s3cret-2");
    expect(fake.requests[0]).toBe(
      "ecr eu-west-1 AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    );
  });

  it("are asked for once, however many want them", async () => {
    const { fake, ask } = await setting(named);

    await Promise.all([ask(host), ask(host), ask(host)]);

    expect(fake.requests.length).toBe(1);
  });

  it("are those of public.ecr.aws by another service", async () => {
    const { fake, ask } = await setting(named);

    expect(shown(await ask("public.ecr.aws"))).toBe("AWS s3cret-1");
    expect(fake.requests).toEqual([
      "ecr-public us-east-1 SpencerFrontendService.GetAuthorizationToken",
    ]);
  });

  it("are the password in AWS_ECR_PASSWORD first, and for no other host", async () => {
    const { fake, ask } = await setting({ ...named, AWS_ECR_PASSWORD: "given" });

    expect(shown(await ask(host))).toBe("AWS given");
    expect(await ask("registry.test")).toBeUndefined();
    expect(await ask(`${host}.evil.test`)).toBeUndefined();
    expect(fake.requests).toEqual([]);
  });

  it("come after those that docker login left", async () => {
    const directory = await temporaryDirectory();
    const auth = Buffer.from("AWS:logged-in").toString("base64");
    const config = JSON.stringify({ auths: { [host]: { auth } } });
    await writeFile(join(directory, "config.json"), config);
    const { ask } = await setting({
      ...named,
      AWS_ECR_PASSWORD: "given",
      DOCKER_CONFIG: directory,
    });

    expect(shown(await ask(host))).toBe("AWS logged-in");
  });

  it("are had with the role of a container", async () => {
    const { fake, ask } = await setting();
    const { url } = await serve((_request, response) =>
      response.end(
        JSON.stringify({
          AccessKeyId: "ROLE",
          SecretAccessKey: "role-key",
          Token: "role-token",
          Expiration: new Date(Date.now() + hour),
        }),
      ),
    );
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.href);
    fake.keys = { accessKeyId: "ROLE", secretAccessKey: "role-key", sessionToken: "role-token" };

    expect(shown(await ask(host))).toBe("AWS s3cret-1");
  });

  it("are had with a web identity, by way of STS", async () => {
    const { fake, ask } = await setting();
    const { url } = await serve(async (request, response) => {
      const form = new URLSearchParams(String(await bodyOf(request)));
      const isRight = form.get("WebIdentityToken") === "web-token";
      response.writeHead(isRight ? 200 : 403, { "content-type": "text/xml" }).end(
        `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
        <AccessKeyId>WEB</AccessKeyId><SecretAccessKey>web-key</SecretAccessKey>
        <SessionToken>web-session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
        </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
      );
    });
    const file = join(await temporaryDirectory(), "token");
    await writeFile(file, "web-token");
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", file);
    vi.stubEnv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/agent");
    vi.stubEnv("AWS_ENDPOINT_URL_STS", url.href);
    vi.stubEnv("AWS_REGION", "eu-west-1");
    fake.keys = { accessKeyId: "WEB", secretAccessKey: "web-key", sessionToken: "web-session" };

    expect(shown(await ask(host))).toBe("AWS s3cret-1");
  });

  it("are missed where there are none, and only where they are needed", async () => {
    const { ask } = await setting();

    await expect(ask(host)).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: `there are no AWS credentials for ${host}`,
      hint: expect.stringContaining("AWS_ECR_PASSWORD"),
    });
    expect(await ask("public.ecr.aws")).toBeUndefined();
  });

  it("are none for public.ecr.aws when Amazon gives none, and for a while it is not asked again", async () => {
    const { fake, clock, ask } = await setting(named);
    fake.refuse = { status: 400, type: "AccessDeniedException" };

    expect(await ask("public.ecr.aws")).toBeUndefined();
    expect(await ask("public.ecr.aws")).toBeUndefined();
    expect(fake.requests.length).toBe(1);

    fake.refuse = undefined;
    await clock.advance(6 * 60_000);
    expect(shown(await ask("public.ecr.aws"))).toBe("AWS s3cret-2");
  });

  it.each([
    [400, "com.amazonaws.ecr#AccessDeniedException", "UNAUTHORIZED", "ecr:GetAuthorizationToken"],
    [400, "ExpiredTokenException", "UNAUTHORIZED", "have expired"],
    [400, "InvalidSignatureException", "UNAUTHORIZED", "clock of this host"],
    [403, "Whatever", "UNAUTHORIZED", "check the AWS credentials"],
    [400, "ThrottlingException", "TOOMANYREQUESTS", "fewer hosts"],
    [503, "ServerException", "UNAVAILABLE", "later"],
  ])("are refused with %d %s as %s: %s", async (status, type, code, hint) => {
    const { fake, ask } = await setting(named);
    fake.refuse = { status, type };

    await expect(ask(host)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(type.replace(/^.*#/, "")),
      hint: expect.stringContaining(hint),
    });
  });

  it.each([
    ["s3cret"],
    ['{"authorizationData":[]}'],
    ['{"authorizationData":[{"authorizationToken":"s3cret","expiresAt":"s3cret"}]}'],
    ['{"authorizationData":[{"authorizationToken":"czNjcmV0","expiresAt":1}]}'],
  ])("are not shown when they come as %s", async (nonsense) => {
    const { fake, ask } = await setting(named);
    fake.nonsense = nonsense;

    const error = await ask(host).catch((one) => one);

    expect(error).toMatchObject({ code: "UNAUTHORIZED" });
    expect(error.message).toContain("answered without a token");
    expect(inspect(error)).not.toContain("s3cret");
  });

  it("say which variable names no endpoint", async () => {
    const { ask } = await setting({ ...named, AWS_ENDPOINT_URL_ECR: "nowhere" });

    await expect(ask(host)).rejects.toMatchObject({
      name: "ConfigError",
      message: "AWS_ENDPOINT_URL_ECR: this is not an http or https URL",
    });
  });
});

/** An environment in which the chain finds nothing but what the test puts there. */
async function setting(environment: Record<string, string> = {}) {
  const nowhere = join(await temporaryDirectory(), "none");
  const names = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
  const unset = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN"];
  for (const name of names) vi.stubEnv(name, nowhere);
  for (const name of unset) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  onTestFinished(() => void vi.unstubAllEnvs());
  const clock = new FakeClock();
  const fake = await serveFakeEcr(() => clock.now());
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const endpoint = { AWS_ENDPOINT_URL: fake.url.href };
  const source = credentialsFrom({ ...endpoint, ...environment }, { http, clock });
  const ask = (registry: string) => source(registry, { signal: AbortSignal.timeout(10_000) });
  return { fake, clock, ask };
}

function shown(credential: Credential | undefined): string | undefined {
  if (credential?.kind !== "password") return undefined;
  return `${credential.username} ${credential.password.reveal()}`;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-aws-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
