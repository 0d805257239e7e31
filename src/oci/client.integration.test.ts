import { describe, expect, it, onTestFinished } from "vitest";
import { collect, streamOf } from "../base/bytes.ts";
import { FakeClock } from "../base/clock.fake.ts";
import { type HttpClient, type HttpRequest, openHttpClient } from "../base/http-client.ts";
import { serve } from "../base/local-server.fake.ts";
import { openOciClient } from "./client.ts";
import { withPassword } from "./credential.ts";
import { digestOf } from "./digest.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "./oci.fake.ts";

const image = { schemaVersion: 2, config: {}, layers: [] };

describe("an OCI client", () => {
  it("lists tags over all pages", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    for (const tag of ["a", "b", "c"]) fake.tag("app", tag, image);
    fake.pageSize = 2;

    const list = await open(fake).tags("app", { signal });

    expect(list).toEqual({ tags: ["a", "b", "c"], entityTag: undefined });
  });

  it("is told when the tags have not changed", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    fake.tag("app", "a", image);
    const client = open(fake);

    const list = await client.tags("app", { signal });
    const same = await client.tags("app", { signal, unlessMatch: list?.entityTag });
    fake.tag("app", "b", image);
    const changed = await client.tags("app", { signal, unlessMatch: list?.entityTag });

    expect(same).toBeUndefined();
    expect(changed?.tags).toEqual(["a", "b"]);
  });

  it("reads a manifest and refuses one that was changed on the way", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    const digest = fake.tag("app", "a", image);
    const client = open(fake);

    expect(await client.headManifest("app", "a", { signal })).toMatchObject({ digest });
    expect(await client.headManifest("app", "z", { signal })).toBeUndefined();
    expect((await client.manifest("app", "a", { signal })).digest).toBe(digest);

    fake.manifests.set(`app@${digest}`, { bytes: Buffer.from("{}"), mediaType: "" });
    await expect(client.manifest("app", digest, { signal })).rejects.toMatchObject({
      code: "DIGEST_INVALID",
    });
  });

  it.each([
    [0, 0, "0123456789"],
    [4, 4, "456789"],
    [10, 0, "0123456789"],
  ])("opens a blob at %i, and gets it from %i", async (from, expected, content) => {
    const { signal } = new AbortController();
    const fake = await serveFakeOciRegistry();
    const bytes = Buffer.from("0123456789");
    fake.blobs.set(digestOf(bytes), bytes);

    const blob = await open(fake).openBlob("app", digestOf(bytes), { signal, from });

    expect(blob.from).toBe(expected);
    expect((await collect(blob.bytes, 100)).toString()).toBe(content);
  });

  it("gets a blob whole from a server that begins elsewhere than it was asked to", async ({
    signal,
  }) => {
    const fake = await serveFakeOciRegistry();
    const bytes = Buffer.from("0123456789");
    fake.blobs.set(digestOf(bytes), bytes);
    fake.beginsEarlier = true;

    const blob = await open(fake).openBlob("app", digestOf(bytes), { signal, from: 4 });

    expect(blob.from).toBe(0);
    expect((await collect(blob.bytes, 100)).equals(bytes)).toBe(true);
  });

  it("pushes a blob, and keeps the query of the upload", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    const client = open(fake);
    const bytes = Buffer.alloc(200_000, 1);
    const digest = digestOf(bytes);
    const told: number[] = [];

    expect(await client.hasBlob("app", digest, { signal })).toBe(false);
    await client.pushBlob("app", sourceOf(bytes), { signal, progress: (sent) => told.push(sent) });

    expect(await client.hasBlob("app", digest, { signal })).toBe(true);
    expect(told.at(-1)).toBe(200_000);
    expect(fake.requests[2]).toBe(
      `PUT /upload?_state=a%2Fb&digest=${encodeURIComponent(digest)} 201`,
    );
  });

  it("gives a registry the time to put a large blob in its place", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    const waits: (number | undefined)[] = [];
    const client = open(fake, { onRequest: ({ timeouts }) => waits.push(timeouts?.responseMs) });

    await client.pushBlob("app", sourceOf(Buffer.from("bytes")), { signal });

    expect(waits).toEqual([undefined, 600_000]);
  });

  it("passes on why a blob was refused", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    const source = { ...sourceOf(Buffer.from("abc")), digest: digestOf("other") };

    await expect(open(fake).pushBlob("app", source, { signal })).rejects.toMatchObject({
      code: "DIGEST_INVALID",
      message: expect.stringContaining("other bytes"),
    });
  });

  it("gets a token once for each scope, and a new one when it has run out", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    const clock = new FakeClock();
    fake.tag("app", "a", image);
    fake.token = { user: "u", password: "p", expiresIn: 300 };
    const client = open(fake, { clock });

    await client.tags("app", { signal });
    await client.tags("app", { signal });
    expect(tokenRequests(fake)).toBe(1);

    await clock.advance(295_000);
    await client.tags("app", { signal });
    expect(tokenRequests(fake)).toBe(2);
    expect(fake.requests.filter((line) => line.endsWith("401")).length).toBe(2);
  });

  it("answers a Basic challenge, and from then on asks with it", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    fake.tag("app", "a", image);
    fake.basic = { user: "u", password: "p" };
    const client = open(fake);

    await client.tags("app", { signal });
    await client.tags("app", { signal });

    expect(fake.requests.map((line) => line.slice(-3))).toEqual(["401", "200", "200"]);
  });

  it("says how to sign in when it is not let in", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    fake.basic = { user: "u", password: "another" };

    await expect(open(fake).tags("app", { signal })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      hint: expect.stringContaining(`docker login ${fake.host}`),
    });
    expect(fake.requests.length).toBe(2);
  });

  it("does not send credentials to a token server without TLS, but for this machine", async ({
    signal,
  }) => {
    const asked: unknown[] = [];
    const realm = await serve((request) => asked.push(request.headers));
    const challenge = `Bearer realm="${realm.url.href.replace("http:", "ftp:")}"`;
    const { url } = await serve((_request, response) => {
      response.writeHead(401, { "www-authenticate": challenge }).end();
    });

    await expect(open({ host: url.host }).tags("app", { signal })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("wants credentials sent to"),
    });
    expect(asked).toEqual([]);
  });

  it("keeps its token to itself when an upload goes to another host", async ({ signal }) => {
    const seen: unknown[] = [];
    const other = await serve((request, response) => {
      request.resume();
      seen.push(request.headers.authorization);
      response.writeHead(201).end();
    });
    const { url } = await serve((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { "www-authenticate": "Basic" }).end();
      } else response.writeHead(202, { location: `${other.url}up` }).end();
    });

    const source = sourceOf(Buffer.from("abc"));
    await open({ host: url.host }).pushBlob("app", source, { signal });

    expect(seen).toEqual([undefined]);
  });

  it("does not repeat credentials that the server repeats", async ({ signal }) => {
    const { url } = await serve((request, response) => {
      const { authorization = "" } = request.headers;
      const errors = [{ code: "DENIED", message: `you sent ${authorization}` }];
      response.writeHead(401, { "www-authenticate": "Basic" }).end(JSON.stringify({ errors }));
    });

    await expect(open({ host: url.host }).tags("app", { signal })).rejects.toMatchObject({
      message: expect.stringMatching(/: you sent Basic \*\*\*$/),
    });
  });

  it("passes on how long it is to stay away", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    fake.refuse = { status: 429, headers: { "retry-after": "7" } };

    await expect(open(fake).tags("app", { signal })).rejects.toMatchObject({
      code: "TOOMANYREQUESTS",
      retryAfterMs: 7000,
    });
  });

  it("survives a proxy's page instead of an error", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    fake.refuse = { status: 502, body: "<html>bad gateway</html>" };

    await expect(open(fake).tags("app", { signal })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});

function open(
  { host }: Pick<FakeOciRegistry, "host">,
  {
    clock = new FakeClock(),
    onRequest = () => {},
  }: { clock?: FakeClock; onRequest?: (request: HttpRequest) => void } = {},
) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const watched: HttpClient = {
    ...http,
    request(request, call) {
      onRequest(request);
      return http.request(request, call);
    },
  };
  const credentials = async () => withPassword("u", "p");
  return openOciClient({ host, credentials, http: watched, clock });
}

const sourceOf = (bytes: Buffer) => ({
  digest: digestOf(bytes),
  sizeBytes: bytes.length,
  open: () => streamOf(bytes),
});

const tokenRequests = ({ requests }: FakeOciRegistry) =>
  requests.filter((line) => line.startsWith("GET /token")).length;
