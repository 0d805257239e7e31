import { createServer } from "node:net";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { choose } from "../choose/choose.ts";
import { thisHost } from "../host.ts";
import type { ReleaseRegistry } from "../release.ts";
import { releaseRegistryContract } from "../release-registry.contract.ts";
import { type FakeGrpcRegistry, serveFakeGrpcRegistry } from "./grpc.fake.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { openReleaseRegistry } from "./index.ts";

const created = new Date("2026-01-01T00:00:00Z");
const where = { host: "web-1", at: created };
const codeByStatus: Record<number, Code> = {
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  429: Code.ResourceExhausted,
  500: Code.Internal,
  503: Code.Unavailable,
};

releaseRegistryContract(
  "grpc://",
  async () => {
    const fake = await serveFakeGrpcRegistry();
    const files = await serveFiles();
    let published = 0;
    return {
      registry: await follow(fake),
      another: () => follow(fake),
      publish(tag, contents) {
        const [name = "", content = ""] = Object.entries(contents)[0] ?? [];
        files.contents.set(`/${tag}/${name}`, content);
        const artifactUrl = `${files.url}${tag}/${name}?signature=s3cret-${++published}`;
        fake.answer = { id: `release ${published}`, tag, artifactUrl, createdAt: created };
      },
      refuse(status, headers = {}) {
        const given = Object.entries(headers).filter(([, value]) => value !== "");
        const code = codeByStatus[status] ?? Code.Unknown;
        fake.refuse = { code, headers: Object.fromEntries(given) };
      },
      countedRequests: () => files.requests.length,
      secret: "s3cret",
    };
  },
  { announces: "one file", tellsSize: false, keepsAudits: false },
);

describe("grpc://", () => {
  it("tells the server the platform in Go's words, and the file that is wanted", async ({
    signal,
  }) => {
    const fake = await serveFakeGrpcRegistry();
    const { os, architecture: arch } = thisHost().platform;

    await (await follow(fake)).tags({ signal });
    await (await follow(fake, "&artifact=app.zip")).tags({ signal });

    expect(fake.requests).toEqual([
      { os, arch, arifactName: undefined },
      { os, arch, arifactName: "app.zip" },
    ]);
  });

  it("connects at the first call, and keeps the connection", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    const registry = await follow(fake);
    expect(fake.connections()).toBe(0);

    for (let poll = 0; poll < 3; poll++) await registry.tags({ signal });

    expect(fake.connections()).toBe(1);
  });

  it("survives the restart of the server", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    const registry = await follow(fake);
    await registry.tags({ signal });

    await fake.stop();
    const down = await registry.tags({ signal }).catch((error) => error);
    await fake.start();

    expect(down).toMatchObject({ name: "ReleaseRegistryError", code: "UNAVAILABLE" });
    expect(down.message).toContain("ECONNREFUSED");
    expect(await registry.tags({ signal })).toEqual(["v1.0.0"]);
  });

  it("gives up on a server that says nothing, and makes a new connection next time", async ({
    signal,
  }) => {
    let connections = 0;
    const silent = createServer((socket) => {
      connections++;
      socket.on("error", () => {}).resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    const authority = `127.0.0.1:${port}`;
    const parts = { name: "grpc://silent", tls: undefined, clock: new FakeClock(created) };
    const client = await openGrpcClient({ ...parts, authority, deadlineMs: 100 });
    onTestFinished(() => {
      client.close();
      silent.close();
    });

    for (let poll = 1; poll <= 2; poll++) {
      const answer = client.current({ arch: "amd64", os: "linux" }, { signal });
      await expect(answer).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: "grpc://silent did not answer within 0.1 s",
        hint: expect.stringContaining("check that the server runs"),
      });
      expect(connections).toBe(poll);
    }
  });

  it("ends a call when told to, with the reason it was told", async () => {
    const fake = await serveFakeGrpcRegistry();
    const registry = await follow(fake);
    const controller = new AbortController();
    const reason = new Error("enough");

    const tags = registry.tags({ signal: controller.signal });
    controller.abort(reason);

    await expect(tags).rejects.toBe(reason);
  });

  it.each([
    ["tag", { tag: "" }],
    ["artifact_url", { artifactUrl: "" }],
  ])("refuses an answer without %s", async (missing, change) => {
    const { signal } = new AbortController();
    const fake = await serveFakeGrpcRegistry();
    Object.assign(fake.answer, change);

    await expect((await follow(fake)).tags({ signal })).rejects.toMatchObject({
      code: "INVALID_ANSWER",
      message: `grpc://${fake.authority} answered without ${missing}`,
      hint: expect.stringContaining(missing),
    });
  });

  it("takes no tag that is not a version, and shows it", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    fake.answer.tag = "latest";
    const rules = { ...thisHost(), preRelease: true };
    const clock = new FakeClock(created);
    const parts = { clock, logger: new FakeLogger(), warned: new Set<string>() };

    await expect(choose(await follow(fake), rules, parts, { signal })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("its one tag is latest"),
      hint: expect.stringContaining("v1.2.3"),
    });
  });

  it("says so when the server speaks another interface", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    fake.refuse = { code: Code.Unimplemented };

    await expect((await follow(fake)).tags({ signal })).rejects.toMatchObject({
      code: "INVALID_ANSWER",
      hint: expect.stringContaining("dewy.proto"),
    });
  });

  it("takes a new signature of the same file for no new release", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    const files = await serveFiles();
    files.contents.set("/app.zip", "bytes");
    const registry = await follow(fake);

    const [first, second] = [await announced("one"), await announced("two")];
    const { bytes } = await registry.open(first, { signal, from: 0 });

    expect((await collect(bytes, 100)).toString()).toBe("bytes");
    expect(second).toEqual(first);
    expect(first.url).toBe(`${files.url}app.zip`);
    expect(files.requests).toEqual(["/app.zip?signature=two"]);

    async function announced(signature: string) {
      fake.answer.artifactUrl = `${files.url}app.zip?signature=${signature}`;
      await registry.tags({ signal });
      return artifactOf(registry, "v1.0.0");
    }
  });

  it("reports a deployment under the id it was announced with", async ({ signal }) => {
    const fake = await serveFakeGrpcRegistry();
    fake.answer.id = "first";
    const registry = await follow(fake);
    const { identity } = await artifactOf(registry, "v1.0.0");
    fake.answer = { ...fake.answer, id: "second", tag: "v1.1.0" };
    await registry.tags({ signal });
    await artifactOf(registry, "v1.1.0");
    const report = { tag: "v1.0.0", identity, command: "server" as const, ...where };

    await registry.report?.({ ...report, error: undefined }, { signal });
    await registry.report?.({ ...report, error: "x".repeat(5000) }, { signal });

    const told = { id: "first", tag: "v1.0.0", command: "server" };
    expect(fake.reports).toEqual([
      { ...told, err: undefined },
      { ...told, err: "x".repeat(2000) },
    ]);
  });

  it.each([
    [
      "ftp://a.test/b.zip",
      "nothing is fetched by ftp://",
      "https://, ghr://, img://, s3://, gs://",
    ],
    ["app.zip", "this is no URL", "https://, ghr://, img://"],
    ["http://a.test/b.zip?sig=s3cret", "a.test is not this machine", "https://"],
    ["https://a.test/", "names no file", "app_linux_amd64.tar.gz"],
    ["https://a.test/a%2fb", "names no file", "app_linux_amd64.tar.gz"],
    ["ghr://acme/app", "names no file of a GitHub release", "ghr://owner/repository/tag/"],
    ["ghr://acme/app/tag/v1/app.zip", "needs a token", "GH_TOKEN"],
    ["img://a.test/app", "names no tag", "img://host/repository:v1.2.3"],
    ["img://a.test:5000/app", "names no tag", "img://host/repository:v1.2.3"],
  ])("refuses the artifact %s: %s", async (artifactUrl, message, hint) => {
    const { signal } = new AbortController();
    const fake = await serveFakeGrpcRegistry();
    fake.answer.artifactUrl = artifactUrl;

    const error = await (await follow(fake))
      .release("v1.0.0", { signal })
      .catch((thrown) => thrown);

    expect(error).toMatchObject({
      name: "ReleaseRegistryError",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    expect(error.message).toContain(artifactUrl.replace(/\?.*/, ""));
    expect(error.message).not.toContain("s3cret");
  });
});

async function follow(fake: FakeGrpcRegistry, query = ""): Promise<ReleaseRegistry> {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const parts = { http, clock: new FakeClock(created), environment: {} };
  const url = `grpc://${fake.authority}?no-tls=true${query}`;
  const { registry } = await openReleaseRegistry(url, parts);
  onTestFinished(async () => {
    await registry.close();
    http.close();
  });
  return registry;
}

async function artifactOf(registry: ReleaseRegistry, tag: string) {
  const release = await registry.release(tag, { signal: AbortSignal.timeout(5000) });
  const [artifact] = release?.artifacts ?? [];
  if (!artifact) throw new Error(`there is no ${tag}`);
  return artifact;
}

async function serveFiles() {
  const contents = new Map<string, string>();
  const requests: string[] = [];
  const { url } = await serve((request, response) => {
    requests.push(request.url ?? "");
    const content = contents.get(new URL(request.url ?? "/", "http://a.test").pathname);
    const bytes = Buffer.from(content ?? "");
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (content === undefined) response.writeHead(404).end();
    else if (from === 0) response.end(bytes);
    else if (from >= bytes.length) response.writeHead(416).end();
    else {
      const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      response.writeHead(206, { "content-range": range }).end(bytes.subarray(from));
    }
  });
  return { url: url.href, contents, requests };
}
