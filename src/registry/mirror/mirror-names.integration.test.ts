import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../base/local-server.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { begin, pushImage, putManifest } from "../served-registry.fake.ts";
import { openMirrorHere } from "./opened-mirror.fake.ts";
import { serveFakeUpstream } from "./upstream.fake.ts";

const layer = randomBytes(2_000);

describe("a mirror of several registries", () => {
  it("chooses by prefix and by namespace, and keeps one copy for both", async () => {
    const { one, mirror } = await openTwo();
    const image = one.image("team/app", "v1", layer);

    const byPrefix = await mirror.get("one.example/team/app/manifests/v1");
    const byNamespace = await mirror.get("team/app/manifests/v1?ns=one.example");
    const blob = await mirror.get(`team/app/blobs/${image.layer}?ns=one.example`);

    expect(digestOf(await byPrefix.text())).toBe(image.digest);
    expect(digestOf(await byNamespace.text())).toBe(image.digest);
    expect(byNamespace.headers.get("oci-namespace")).toBe("one.example");
    expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(image.layer);
    expect(one.requests).toEqual([
      "HEAD /v2/team/app/manifests/v1",
      `GET /v2/team/app/manifests/${image.digest}`,
      `GET /v2/team/app/blobs/${image.layer}`,
    ]);
  });

  it("takes the longest prefix", async () => {
    const { one, two, mirror } = await openTwo();
    one.image("team/app", "v1", layer);
    const image = two.image("app", "v1", layer);

    const answer = await mirror.get("one.example/inner/app/manifests/v1");

    expect(digestOf(await answer.text())).toBe(image.digest);
    expect(one.requests).toEqual([]);
  });

  it("never gives an image of its own for one of a registry it does not mirror", async () => {
    const { mirror } = await openTwo();
    await pushImage(mirror.address, "team/app", "v1");

    const foreign = await mirror.get("team/app/manifests/v1?ns=elsewhere.example");
    const own = await mirror.get(`team/app/manifests/v1?ns=${new URL(mirror.address).host}`);

    expect(foreign.status).toBe(404);
    expect(await foreign.json()).toMatchObject({ errors: [{ code: "NAME_UNKNOWN" }] });
    expect(own.status).toBe(200);
  });

  it("takes pushes beside what it mirrors, and refuses those into it", async () => {
    const { one, mirror } = await openTwo();
    const image = one.image("team/app", "v1", layer);
    await mirror.get("one.example/team/app/manifests/v1");
    const { address } = mirror;
    const { bytes } = await pushImage(address, "ours/app", "v1");

    const url = (path: string) => `${address}/v2/one.example/team/app/${path}`;
    const refused = await Promise.all([
      fetch(url("blobs/uploads/"), { method: "POST" }),
      putManifest(address, "one.example/team/app/manifests/v2", bytes),
      putManifest(address, "team/app/manifests/v2?ns=one.example", bytes),
      fetch(url("manifests/v1"), { method: "DELETE" }),
      fetch(url(`manifests/${image.digest}`), { method: "DELETE" }),
      fetch(url(`blobs/${image.layer}`), { method: "DELETE" }),
    ]);

    expect(refused.map(({ status }) => status)).toEqual(Array(6).fill(405));
    expect(await refused[0]?.json()).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
    const catalog = await mirror.get("_catalog");
    expect(await catalog.json()).toEqual({ repositories: ["one.example/team/app", "ours/app"] });
    const first = await mirror.get("_catalog?n=1");
    expect(first.headers.get("link")).toContain("last=one.example%2Fteam%2Fapp");
    const rest = await mirror.get("_catalog?n=1&last=one.example/team/app");
    expect(await rest.json()).toEqual({ repositories: ["ours/app"] });
  });

  it("does not mount what is private elsewhere", async () => {
    const { one, mirror } = await openTwo();
    const image = one.image("team/app", "v1", layer);
    await (await mirror.get(`one.example/team/app/blobs/${image.layer}`)).arrayBuffer();

    const url = `${mirror.address}/v2/ours/app/blobs/uploads/?mount=${image.layer}`;
    const anonymous = await fetch(url, { method: "POST" });
    const named = await fetch(`${url}&from=one.example/team/app`, { method: "POST" });

    expect([anonymous.status, named.status]).toEqual([202, 202]);
    expect((await mirror.get(`ours/app/blobs/${image.layer}`)).status).toBe(404);
  });

  it("lists the tags of the registry, page by page", async () => {
    const { one, mirror } = await openTwo();
    for (const tag of ["v3", "v1", "v2"]) one.image("team/app", tag, layer);

    const all = await mirror.get("one.example/team/app/tags/list");
    const page = await mirror.get("one.example/team/app/tags/list?n=1&last=v1");
    const none = await mirror.get("one.example/team/other/tags/list");

    expect(await all.json()).toMatchObject({ tags: ["v1", "v2", "v3"] });
    expect(await page.json()).toMatchObject({ tags: ["v2"] });
    expect(page.headers.get("link")).toContain("last=v2");
    expect(none.status).toBe(200); // the fake knows every repository
  });
});

describe("a mirror of one registry", () => {
  it("can only be read", async () => {
    const upstream = await serveFakeUpstream();
    const mirror = await openMirrorHere({ remoteurl: upstream.url });

    const url = `${mirror.address}/v2/app/blobs/uploads/`;
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
  });

  it("serves what an earlier mirror of Distribution's has left, also without it", async () => {
    const upstream = await serveFakeUpstream();
    const pushing = await openMirrorHere({
      upstreams: [{ prefix: "unused", remoteurl: upstream.url }],
    });
    const { bytes } = await pushImage(pushing.address, "app", "v1");
    await pushing.close();
    upstream.stop();

    const mirror = await openMirrorHere(
      { remoteurl: upstream.url },
      { directory: pushing.directory },
    );

    expect(await (await mirror.get("app/manifests/v1")).text()).toBe(bytes);
    expect((await mirror.get(`app/manifests/${digestOf(bytes)}`)).status).toBe(200);
    expect(await begin(mirror.address, "app")).toBe("");
  });
});

describe("the credentials of a mirror", () => {
  it("go to the token server that its registry names, and to no other host", async () => {
    const upstream = await serveFakeUpstream();
    const image = upstream.image("app", "v1", layer);
    upstream.challenge = `Bearer realm="${upstream.url}/token",service="theirs"`;
    const elsewhere: (string | undefined)[] = [];
    const { url } = await serve((request, response) => {
      elsewhere.push(request.headers.authorization);
      response.end(layer);
    });
    upstream.blobInstead = (_, response) => {
      response.writeHead(307, { location: `${url}layer` }).end();
    };
    const access = { username: "ann", password: "very secret" };
    const mirror = await openMirrorHere({ remoteurl: upstream.url, ...access });

    const manifest = await mirror.get("app/manifests/v1", { authorization: "Basic dGhlaXJz" });
    const blob = await mirror.get(`app/blobs/${image.layer}`);

    expect(manifest.status).toBe(200);
    expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(image.layer);
    const password = Buffer.from("ann:very secret").toString("base64");
    const sent = new Set(upstream.authorizations);
    expect(sent).toEqual(new Set([undefined, `Basic ${password}`, "Bearer a-token"]));
    expect(elsewhere).toEqual([undefined]);
    expect(JSON.stringify(mirror.logger.lines)).not.toContain("very secret");
  });

  it.each([
    ["once, unless told otherwise", undefined, 1],
    ["for each sign-in, with a lifetime of 0", 0, 2],
  ])("come from a helper that is asked %s", async (_title, lifetime, times) => {
    const upstream = await serveFakeUpstream();
    upstream.image("app", "v1", layer);
    upstream.image("other", "v1", layer);
    upstream.challenge = `Bearer realm="${upstream.url}/token",service="theirs"`;
    const directory = await mkdtemp(join(tmpdir(), "dewy-helper-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const helper = join(directory, "docker-credential-ours");
    const answer = '{"Username":"ann","Secret":"from the helper"}';
    await writeFile(
      helper,
      `#!/bin/sh\ncat >> ${helper}.asked; echo >> ${helper}.asked\necho '${answer}'\n`,
    );
    await chmod(helper, 0o755);
    const exec = { command: "docker-credential-ours", lifetime };
    const PATH = [directory, "/usr/bin", "/bin"].join(delimiter);
    const mirror = await openMirrorHere(
      { remoteurl: upstream.url, exec },
      { environment: { PATH } },
    );

    expect((await mirror.get("app/manifests/v1")).status).toBe(200);
    expect((await mirror.get("other/manifests/v1")).status).toBe(200);

    const asked = (await readFile(`${helper}.asked`, "utf8")).trim().split("\n");
    expect(asked).toEqual(Array(times).fill(new URL(upstream.url).host));
    const password = Buffer.from("ann:from the helper").toString("base64");
    expect(upstream.authorizations).toContain(`Basic ${password}`);
  });
});

async function openTwo() {
  const [one, two] = await Promise.all([serveFakeUpstream(), serveFakeUpstream()]);
  const mirror = await openMirrorHere({
    upstreams: [
      { prefix: "one.example", remoteurl: one.url },
      { prefix: "one.example/inner", remoteurl: two.url },
    ],
  });
  return { one, two, mirror };
}
