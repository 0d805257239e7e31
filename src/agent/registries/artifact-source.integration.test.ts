import { describe, expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { serveFakeOciRegistry } from "../../oci/oci.fake.ts";
import { buildRelease } from "../../oci/release-artifact.ts";
import { thisHost } from "../host.ts";
import type { Artifact } from "../release.ts";
import { serveFakeGithub } from "./github.fake.ts";
import { serveFakeGrpcRegistry } from "./grpc.fake.ts";
import { openReleaseRegistry } from "./index.ts";

const created = new Date("2026-01-01T00:00:00Z");

describe("an artifact announced by its URL", () => {
  it("comes from a GitHub release, with its digest", async ({ signal }) => {
    const github = await serveFakeGithub();
    github.publish("release/v1.0.0", { "app.zip": "wanted", "other.zip": "x" });
    const environment = { GH_TOKEN: github.token, GITHUB_API_URL: github.api };
    const url = "ghr://acme/app/tag/release/v1.0.0/app.zip";

    const { artifact, read } = await announce(url, environment, signal);

    expect(artifact).toMatchObject({ name: "app.zip", digest: digestOf("wanted"), sizeBytes: 6 });
    expect(artifact.url).toBe(url);
    expect(await read()).toBe("wanted");
    expect(github.leaked).toEqual([]);
  });

  it.each(["tag", "digest"])("comes from an image registry by its %s", async (by) => {
    const { signal } = new AbortController();
    const oci = await serveFakeOciRegistry();
    oci.token = { user: "u", password: "s3cret", expiresIn: 300 };
    const { platform } = thisHost();
    const files = [platform, { os: "plan9", architecture: "mips" }].map((each) => {
      const digest = digestOf(`for ${each.os}`);
      oci.blobs.set(digest, Buffer.from(`for ${each.os}`));
      return { name: "app.tar.gz", platform: each, digest, sizeBytes: 4 + each.os.length };
    });
    const { children, top } = buildRelease(files, { version: "v1.0.0+blue", created });
    for (const child of children) oci.manifests.set(`acme/app@${child.digest}`, child);
    oci.manifests.set(`acme/app@${top.digest}`, top);
    oci.manifests.set("acme/app:v1.0.0_blue", top);
    const environment = { DOCKER_USERNAME: "u", DOCKER_PASSWORD: "s3cret" };
    const reference = by === "tag" ? ":v1.0.0_blue" : `@${top.digest}`;

    const { artifact, read, again } = await announce(
      `img://${oci.host}/acme/app${reference}`,
      environment,
      signal,
    );
    const asked = oci.requests.length;

    expect(artifact).toMatchObject({ name: "app.tar.gz", digest: files[0]?.digest });
    expect(await again()).toEqual(artifact);
    expect(oci.requests.length).toBe(asked);
    expect(await read()).toBe(`for ${platform.os}`);
  });

  it("is looked for again when it has gone", async ({ signal }) => {
    const github = await serveFakeGithub();
    github.publish("v1.0.0", { "app.zip": "first" });
    const environment = { GH_TOKEN: github.token, GITHUB_API_URL: github.api };
    const { again, read } = await announce(
      "ghr://acme/app/tag/v1.0.0/app.zip",
      environment,
      signal,
    );
    github.publish("v1.0.0", { "app.zip": "second" });

    await expect(read()).rejects.toMatchObject({ code: "NOT_FOUND" });

    expect(await again()).toMatchObject({ digest: digestOf("second") });
    expect(await read()).toBe("second");
  });

  it("says so when the release has no such file", async ({ signal }) => {
    const github = await serveFakeGithub();
    github.publish("v1.0.0", { "other.zip": "x" });
    const environment = { GH_TOKEN: github.token, GITHUB_API_URL: github.api };

    for (const place of ["v1.0.0/app.zip", "v9.9.9/app.zip"]) {
      const announced = announce(`ghr://acme/app/tag/${place}`, environment, signal);
      await expect(announced).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("goes on over https only while it is the same file", async ({ signal }) => {
    const seen: (string | undefined)[] = [];
    let etag = '"one"';
    const { url } = await serve(({ headers }, response) => {
      seen.push(headers["if-range"] as string | undefined);
      const isSame = headers.range !== undefined && headers["if-range"] === etag;
      const range = { etag, "content-range": "bytes 2-4/5" };
      if (isSame) response.writeHead(206, range).end("345");
      else response.writeHead(200, { etag }).end("12345");
    });
    const { read } = await announce(`${url}app.zip`, {}, signal);

    expect(await read()).toBe("12345");
    expect(await read(2)).toBe("345");
    etag = '"two"';
    expect(await read(2)).toBe("12345");
    expect(seen).toEqual([undefined, '"one"', '"one"']);
  });

  it.each([
    ["https://user:s3cret@a.test", "https://a.test: this URL names no file"],
    ["https://user:s3/cret@a.test/app.zip", "***@a.test/app.zip: this is no URL"],
    ["https:\\\\user:s3cret@a.test\\app.zip", "***@a.test\\app.zip: this is no URL"],
    ["img://user:s3cret@a.test/app@sha256:00", "img://a.test/app@sha256:00: "],
  ])("shows no password of the artifact %s", async (artifactUrl, shown) => {
    const { signal } = new AbortController();

    const error = await announce(artifactUrl, {}, signal).catch((thrown) => thrown);

    expect(error).toMatchObject({ name: "ReleaseRegistryError", code: "INVALID_ANSWER" });
    expect(error.message).toContain(shown);
    expect(`${error.message} ${error.hint}`).not.toMatch(/s3\/?cret/);
  });

  it.each([
    [401, "UNAUTHORIZED"],
    [403, "UNAUTHORIZED"],
    [404, "NOT_FOUND"],
    [410, "NOT_FOUND"],
    [429, "RATE_LIMITED"],
    [500, "UNAVAILABLE"],
  ])("says of an answer of %i that it is %s, without the signature", async (status, code) => {
    const { signal } = new AbortController();
    const { url } = await serve((_request, response) => {
      response.writeHead(status, { "retry-after": "3" }).end();
    });
    const { read } = await announce(`${url}app.zip?signature=s3cret`, {}, signal);

    const error = await read().catch((thrown) => thrown);

    expect(error).toMatchObject({ name: "ReleaseRegistryError", code });
    expect(error.hint).toBeTruthy();
    expect(error.message).not.toContain("s3cret");
    if (status === 429) expect(error.retryAfterMs).toBe(3000);
  });
});

/** What an agent makes of a server that answers with `artifactUrl`. */
async function announce(
  artifactUrl: string,
  environment: Record<string, string>,
  signal: AbortSignal,
) {
  const fake = await serveFakeGrpcRegistry();
  fake.answer.artifactUrl = artifactUrl;
  const http = openHttpClient({ userAgent: "dewy/test" });
  const parts = { http, clock: new FakeClock(created), environment };
  const { registry } = await openReleaseRegistry(`grpc://${fake.authority}?no-tls=true`, parts);
  onTestFinished(async () => {
    await registry.close();
    http.close();
  });
  let artifact: Artifact | undefined;
  return { artifact: await again(), again, read };

  async function again(): Promise<Artifact> {
    await registry.tags({ signal });
    const [found] = (await registry.release("v1.0.0", { signal }))?.artifacts ?? [];
    if (!found) throw new Error("there is no artifact");
    artifact = found;
    return found;
  }

  async function read(from = 0): Promise<string> {
    if (!artifact) throw new Error("nothing was announced");
    const { bytes } = await registry.open(artifact, { signal, from });
    return (await collect(bytes, 1e6)).toString();
  }
}
