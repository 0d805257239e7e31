import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { type Digest, digestOf, hexOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { defaultRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";

const config = Buffer.from("{}");
const layer = Buffer.from("a layer");
const absent = digestOf("absent");
const manifest = JSON.stringify({
  schemaVersion: 2,
  config: { mediaType: "a/b", digest: digestOf(config), size: config.length },
  layers: [{ mediaType: "a/b", digest: digestOf(layer), size: layer.length }],
});

type Rot = (path: string) => Promise<unknown>;
const empty: Rot = (path) => writeFile(path, "");
const directory: Rot = (path) => rm(path).then(() => mkdir(path));
const circle: Rot = (path) => rm(path).then(() => symlink(path, path));

it.each<[string, Rot, string[]]>([
  ["is missing", (path) => rm(path), []],
  ["is empty", empty, []],
  ["is garbage", (path) => writeFile(path, "no digest\n"), []],
  ["is far too long", (path) => writeFile(path, digestOf("x").repeat(10_000)), []],
  ["names what is not there", (path) => writeFile(path, absent), ["v1"]],
  ["leads in a circle", circle, []],
])("does without a tag whose link %s, and takes it anew", async (_what, rot, listed) => {
  const { link, ask, tags, logger } = await open();
  await rot(link);

  expect(await tags()).toEqual([...listed, "v2"]);
  expect((await ask("GET", "a/manifests/v1")).status).toBe(404);
  expect((await ask("PUT", "a/manifests/v1", manifest)).status).toBe(201);
  expect(await (await ask("GET", "a/manifests/v1")).text()).toBe(manifest);
  expect(logger.messages("error")).toEqual([]);
});

it("says what is in the way of a tag, and serves the others", async () => {
  const { link, ask, tags, logger } = await open();
  await directory(link);

  expect(await tags()).toEqual(["v2"]);
  expect((await ask("GET", "a/manifests/v1")).status).toBe(404);
  expect((await ask("PUT", "a/manifests/v1", manifest)).status).toBe(503);

  expect(logger.lines.find(({ level }) => level === "error")?.fields.error).toMatchObject({
    message: expect.stringMatching(/a\/_manifests\/tags\/v1\/current\/link is not the file/),
    hint: expect.stringContaining("out of the storage directory"),
  });
});

it.each<[string, Rot]>([
  ["without its bytes", (path) => rm(path)],
  ["without its directory", (path) => rm(dirname(path), { recursive: true })],
  ["of nothing", empty],
])("shows no blob %s, mounts none, and takes it anew", async (_what, rot) => {
  const { dataOf, ask, logger } = await open();
  await rot(dataOf(digestOf(layer)));
  const path = `a/blobs/${digestOf(layer)}`;

  expect((await ask("HEAD", path)).status).toBe(404);
  expect((await ask("GET", path)).status).toBe(404);
  const mount = `b/blobs/uploads/?mount=${digestOf(layer)}&from=a`;
  expect((await ask("POST", mount)).status).toBe(202);
  expect((await ask("PUT", "a/manifests/v3", manifest)).status).toBe(400); // it names the blob
  expect((await ask("POST", `a/blobs/uploads/?digest=${digestOf(layer)}`, layer)).status).toBe(201);
  expect(await (await ask("GET", path)).text()).toBe(layer.toString());
  expect(logger.messages("error")).toEqual([]);
});

it.each<[string, Rot]>([
  ["nothing", empty],
  ["a half", (path) => writeFile(path, manifest.slice(0, 50))],
  ["too much", (path) => writeFile(path, " ".repeat(5_000_000))],
  ["a directory", directory],
])("takes %s for no manifest", async (_what, rot) => {
  const { dataOf, ask, restart } = await open();
  await rot(dataOf(digestOf(manifest)));
  await restart(); // which remembers what it has read

  expect((await ask("GET", "a/manifests/v1")).status).toBe(404);
  expect((await ask("GET", `a/manifests/${digestOf(manifest)}`)).status).toBe(404);
});

it("takes no index of a manifest that a power failure has emptied", async () => {
  const { dataOf, ask } = await open();
  await empty(dataOf(digestOf(manifest)));
  const child = { mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: 1 };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };

  const answer = await ask("PUT", "a/manifests/v3", JSON.stringify(index));

  expect(answer.status).toBe(400);
});

it("passes over what is not its own, and links that lead back, also when it collects", async () => {
  const { root, ask, collect, logger, tags } = await open();
  const [repositories, blobs] = [join(root, "repositories"), join(root, "blobs/sha256")];
  for (const strange of ["lost+found", "Bad Name/_manifests", "a/_manifests/tags/.hidden"]) {
    await mkdir(join(repositories, strange), { recursive: true });
  }
  await mkdir(join(blobs, "zz/zzz"), { recursive: true });
  await mkdir(join(repositories, "a/_uploads/no-id"), { recursive: true });
  await writeFile(join(repositories, "a/_uploads/no-id/startedat"), "garbage");
  for (const file of ["repositories/file", "repositories/a/README", "blobs/junk"]) {
    await writeFile(join(root, file), "junk");
  }
  await symlink(repositories, join(repositories, "a/back"));
  await symlink("itself", join(repositories, "itself"));
  await symlink("nowhere", join(repositories, "dangling"));
  await symlink("/", join(repositories, "everything"));

  expect(await (await ask("GET", "_catalog")).json()).toEqual({ repositories: ["a"] });
  expect((await ask("GET", "itself/tags/list")).status).toBe(404);
  expect(await collect()).toMatchObject({ status: "ended", problem: null });
  expect(await tags()).toEqual(["v1", "v2"]);
  expect(await (await ask("GET", `a/blobs/${digestOf(layer)}`)).text()).toBe(layer.toString());
  expect(logger.messages("error")).toEqual([]);
});

/** A registry with `a:v1` and `a:v2`, and where it keeps them. */
async function open() {
  const home = await mkdtemp(join(tmpdir(), "dewy-rotten-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const logger = new FakeLogger();
  const start = () =>
    openRegistry(defaultRegistryConfig(home, { REGISTRY_HTTP_ADDR: "127.0.0.1:0" }), {
      clock: systemClock,
      logger,
    });
  let registry = await start();
  const close = () => registry.close({ signal: AbortSignal.abort() });
  onTestFinished(close);
  const ask = (method: string, path: string, body?: string | Buffer) => {
    const headers = { "content-type": mediaTypes.ociManifest };
    return fetch(`${registry.address}/v2/${path}`, { method, ...(body && { body, headers }) });
  };
  for (const blob of [config, layer]) {
    await ask("POST", `a/blobs/uploads/?digest=${digestOf(blob)}`, blob);
  }
  for (const tag of ["v1", "v2"]) await ask("PUT", `a/manifests/${tag}`, manifest);

  const root = join(home, "docker/registry/v2");
  return {
    ...{ root, logger, ask, link: join(root, "repositories/a/_manifests/tags/v1/current/link") },
    dataOf: (digest: Digest) =>
      join(root, "blobs/sha256", hexOf(digest).slice(0, 2), hexOf(digest), "data"),
    tags: async () => ((await (await ask("GET", "a/tags/list")).json()) as { tags: string[] }).tags,
    async restart() {
      await close();
      registry = await start();
    },
    /** Resolves to what it came to. */
    async collect() {
      const begun = await fetch(`${registry.address}/api/v1/garbage/collections`, {
        method: "POST",
      });
      const current = begun.headers.get("location") ?? "";
      const state = async () => (await (await fetch(current)).json()) as { status: string };
      await expect.poll(async () => (await state()).status).not.toBe("running");
      return await state();
    },
  };
}
