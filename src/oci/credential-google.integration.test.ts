import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { openHttpClient } from "../base/http-client.ts";
import { serve } from "../base/local-server.fake.ts";
import { credentialsFrom } from "./credentials.ts";

const key = JSON.stringify({ type: "service_account", private_key: "s3cret" });

describe("credentials for Google's registries", () => {
  it.each([
    ["gcr.io", "ya29.token", "oauth2accesstoken"],
    ["eu.gcr.io", key, "_json_key"],
    ["europe-west1-docker.pkg.dev", ` ${key}`, "_json_key"],
    ["us-docker.pkg.dev", Buffer.from(key).toString("base64"), "_json_key_base64"],
  ])("are for %s the GCR_TOKEN %s of the user %s", async (host, token, username) => {
    const { ask } = await setting({ GCR_TOKEN: token });

    expect(await ask(host)).toBe(`${username} ${token}`);
  });

  it.each([["registry.test"], ["gcr.io.evil.test"], ["evilgcr.io"], ["a.b.gcr.io"], ["pkg.dev"]])(
    "are not sent to %s",
    async (host) => {
      const { ask } = await setting({ GCR_TOKEN: "s3cret" });

      expect(await ask(host)).toBeUndefined();
    },
  );

  it("are the token of the instance, kept while it is good", async () => {
    const { ask, metadata } = await setting();

    expect(await ask("gcr.io")).toBe("oauth2accesstoken instance-1");
    expect(await ask("us-docker.pkg.dev")).toBe("oauth2accesstoken instance-1");
    expect(metadata.tokens).toBe(1);
  });

  it("are another token when little is left of the first", async () => {
    const { ask, metadata } = await setting();
    metadata.lifeSeconds = 200;

    expect(await ask("gcr.io")).toBe("oauth2accesstoken instance-1");
    expect(await ask("gcr.io")).toBe("oauth2accesstoken instance-2");
  });

  it("are none on an instance without an account, and for a while it is not asked again", async () => {
    const { ask, metadata } = await setting();
    metadata.status = 404;

    expect(await ask("gcr.io")).toBeUndefined();
    const { requests } = metadata;
    expect(await ask("gcr.io")).toBeUndefined();
    expect(metadata.requests).toBe(requests);
  });

  it("are none where there is nothing", async () => {
    const { ask } = await setting();
    vi.stubEnv("METADATA_SERVER_DETECTION", "none");

    expect(await ask("gcr.io")).toBeUndefined();
  });

  it("name the file that cannot be used, and take another in its place", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "key.json");
    await writeFile(file, '{"type":"service_account","private_key":"s3cret"}');
    const { ask } = await setting({ GOOGLE_APPLICATION_CREDENTIALS: file });

    const error = await ask("gcr.io").catch((one) => one);

    expect(error).toMatchObject({
      code: "UNAUTHORIZED",
      message: `the credentials in ${file} (GOOGLE_APPLICATION_CREDENTIALS) cannot be used`,
    });
    expect(error.message).not.toContain("s3cret");

    const { url } = await serve((_request, response) => {
      const answer = { access_token: "federated", expires_in: 3600, token_type: "Bearer" };
      const type = "urn:ietf:params:oauth:token-type:access_token";
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ ...answer, issued_token_type: type }));
    });
    await writeFile(join(directory, "subject"), "subject-token");
    const federated = {
      type: "external_account",
      audience:
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${url}v1/token`,
      credential_source: { file: join(directory, "subject") },
    };
    await writeFile(file, JSON.stringify(federated));
    expect(await ask("gcr.io")).toBe("oauth2accesstoken federated");
  });
});

interface Metadata {
  status: number;
  requests: number;
  tokens: number;
  lifeSeconds: number;
}

/** A metadata server, and nothing else that the library could find. */
async function setting(environment: Record<string, string> = {}) {
  const metadata: Metadata = { status: 200, requests: 0, tokens: 0, lifeSeconds: 3600 };
  const { url } = await serve((request, response) => {
    metadata.requests++;
    response.setHeader("metadata-flavor", "Google");
    if (!request.url?.includes("/token")) return void response.end("default");
    if (metadata.status !== 200) return void response.writeHead(metadata.status).end("no");
    const access_token = `instance-${++metadata.tokens}`;
    response
      .setHeader("content-type", "application/json")
      .end(
        JSON.stringify({ access_token, expires_in: metadata.lifeSeconds, token_type: "Bearer" }),
      );
  });
  const home = await temporaryDirectory();
  vi.stubEnv("HOME", home);
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", undefined);
  vi.stubEnv("GCE_METADATA_HOST", url.host);
  vi.stubEnv("METADATA_SERVER_DETECTION", "assume-present");
  onTestFinished(() => void vi.unstubAllEnvs());
  const clock = new FakeClock(new Date());
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const source = credentialsFrom(environment, { http, clock });
  const ask = async (host: string) => {
    const found = await source(host, { signal: AbortSignal.timeout(15_000) });
    return found?.kind === "password" ? `${found.username} ${found.password.reveal()}` : undefined;
  };
  return { ask, metadata };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-google-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
