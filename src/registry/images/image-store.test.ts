import { randomBytes } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { openFilesystemStorage } from "../storage/filesystem.ts";
import { type ImageStore, imageStoreOn } from "./image-store.ts";
import {
  blobDataPath,
  layerLinkPath,
  revisionLinkPath,
  tagLinkPath,
  uploadDataPath,
} from "./paths.ts";
import { call, chunk, pushImage } from "./pushed-image.fake.ts";

const piece = randomBytes(100_000);

it("goes on with an upload after a restart, and hashes it again from disk", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a/b", { ...call, algorithm: "sha256" });
  await store.uploads.append("a/b", id, chunk(piece), call);
  const restarted = await storeAt(directory);

  expect(await restarted.uploads.find("a/b", id, call)).toMatchObject({ size: piece.length });
  await restarted.uploads.append("a/b", id, chunk(piece, piece.length), call);
  const whole = Buffer.concat([piece, piece]);
  await restarted.uploads.commit("a/b", id, { digest: digestOf(whole), chunk: undefined }, call);

  expect((await blobIn(restarted, "a/b", digestOf(whole)))?.equals(whole)).toBe(true);
});

it("notices that another program wrote to the upload", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  await store.uploads.append("a", id, chunk(piece), call);
  await appendFile(join(directory, uploadDataPath("a", id)), "more");

  const digest = digestOf(Buffer.concat([piece, Buffer.from("more")]));
  await store.uploads.commit("a", id, { digest, chunk: undefined }, call);

  expect(await store.blobs.find("a", digest, call)).toMatchObject({ size: piece.length + 4 });
});

it("ends with a small chunk what another process has received", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  const other = await storeAt(directory);
  await other.uploads.append("a", id, chunk(piece), call);
  const last = Buffer.from("the last bytes");
  const digest = digestOf(Buffer.concat([piece, last]));

  const end = { digest, chunk: chunk(last, piece.length) };
  await store.uploads.commit("a", id, end, call);

  expect(await store.blobs.find("a", digest, call)).toMatchObject({
    size: piece.length + last.length,
  });
});

it("takes a small chunk without its place for the end of what another process received", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  const other = await storeAt(directory);
  await other.uploads.append("a", id, chunk(piece), call);
  const last = Buffer.from("the last bytes");
  const digest = digestOf(Buffer.concat([piece, last]));

  await store.uploads.commit("a", id, { digest, chunk: chunk(last) }, call);

  expect(await blobIn(store, "a", digest)).toHaveLength(piece.length + last.length);
});

it("knows no upload that another process has ended", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  await (await storeAt(directory)).uploads.cancel("a", id, call);

  for (const size of [1, 100_000]) {
    const append = store.uploads.append("a", id, chunk(piece.subarray(0, size)), call);
    await expect(append).rejects.toMatchObject({ code: "BLOB_UPLOAD_UNKNOWN" });
  }
  expect(await filesIn(directory)).toEqual([]);
});

it("keeps what came before the client went away, and takes the rest", async () => {
  const { store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });

  await expect(
    store.uploads.append("a", id, { source: breakingOff(piece), at: undefined }, call),
  ).rejects.toThrow("gone");
  const { size } = await store.uploads.find("a", id, call);
  await store.uploads.append("a", id, chunk(piece, size), call);
  const digest = digestOf(Buffer.concat([piece, piece]));
  await store.uploads.commit("a", id, { digest, chunk: undefined }, call);

  expect(size).toBe(piece.length);
  expect(await store.blobs.find("a", digest, call)).toMatchObject({ size: 2 * piece.length });
});

it("refuses a second writer, without harm to the first", async () => {
  const { store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = store.uploads.append("a", id, { source: gated(gate), at: undefined }, call);

  await expect(store.uploads.append("a", id, chunk(piece), call)).rejects.toMatchObject({
    status: 409,
  });
  await expect(store.uploads.cancel("a", id, call)).rejects.toMatchObject({ status: 409 });
  release();

  expect(await first).toMatchObject({ size: piece.length });
});

it("says that bytes are the right ones before it has stored them, and never of others", async () => {
  const { store } = await openStore();
  const said: string[] = [];
  const push = async (bytes: Buffer) => {
    const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
    const verified = () => said.push("verified");
    const end = { digest: digestOf(piece), chunk: chunk(bytes), verified };
    await store.uploads.commit("a", id, end, call).then(
      () => said.push("stored"),
      () => said.push("refused"),
    );
  };

  await push(piece);
  await push(Buffer.from("other"));

  expect(said).toEqual(["verified", "stored", "refused"]);
});

it("leaves nothing of an upload whose bytes are others", async () => {
  const { directory, store } = await openStore();
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });

  const end = { digest: digestOf("other"), chunk: chunk(piece) };
  await expect(store.uploads.commit("a", id, end, call)).rejects.toMatchObject({
    code: "DIGEST_INVALID",
  });

  expect(await filesIn(directory)).toEqual([]);
});

it("lays out files as Distribution does", async () => {
  const { directory, store } = await openStore();
  const { config, digest } = await pushImage(store, "a/b", "v1");
  const hex = digest.slice(7);
  const configHex = config.slice(7);

  expect(await filesIn(join(directory, "docker/registry/v2"))).toEqual(
    [
      `blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
      `blobs/sha256/${configHex.slice(0, 2)}/${configHex}/data`,
      `repositories/a/b/_layers/sha256/${configHex}/link`,
      `repositories/a/b/_manifests/revisions/sha256/${hex}/link`,
      "repositories/a/b/_manifests/tags/v1/current/link",
      `repositories/a/b/_manifests/tags/v1/index/sha256/${hex}/link`,
    ].sort(),
  );
  expect(await readFile(join(directory, tagLinkPath("a/b", "v1")), "utf8")).toBe(digest);
});

it("follows what a link says, not where it lies", async () => {
  const { directory, store } = await openStore();
  const sha512 = digestOf(piece, "sha512");
  await place(directory, blobDataPath(digestOf(piece)), piece);
  await place(directory, layerLinkPath("a", sha512), `${digestOf(piece)}\n`);

  expect((await blobIn(store, "a", sha512))?.equals(piece)).toBe(true);
});

it.each(["", "sha256:", "garbage", "x".repeat(5000)])(
  "takes the link %j for none",
  async (link) => {
    const { directory, store } = await openStore();
    const { digest } = await pushImage(store, "a", "v1");
    await place(directory, tagLinkPath("a", "v1"), link);
    await place(directory, revisionLinkPath("a", digest), link);

    expect(await store.manifests.readTag("a", "v1", call)).toBeUndefined();
    expect(await store.manifests.read("a", digest, call)).toBeUndefined();
    expect(await store.tags.list("a", { limit: 10, last: undefined }, call)).toMatchObject({
      names: [],
    });
  },
);

it("never serves a manifest that is only half there", async () => {
  const { directory, store } = await openStore();
  const { digest } = await pushImage(store, "a", "v1");
  await place(directory, blobDataPath(digest), '{"schemaVersion":2,');
  const logger = new FakeLogger();
  const restarted = await storeAt(directory, logger);

  for (let pull = 0; pull < 2; pull++) {
    expect(await restarted.manifests.readTag("a", "v1", call)).toBeUndefined();
  }
  const told = ["a manifest is damaged, and answered as if it were not there"];
  expect(logger.messages("error")).toEqual(told);
});

it("finds the referrers that another program wrote, and forgets deleted ones", async () => {
  const { directory, store } = await openStore();
  const { digest: subject } = await pushImage(store, "a", "v1");
  expect(await referrersOf(store, subject)).toEqual([]);
  const other = await storeAt(directory);
  const { digest } = await pushImage(other, "a", "sig", subject);

  expect(await referrersOf(store, subject)).toEqual([digest]);
  await other.manifests.delete("a", digest, call);
  expect(await referrersOf(store, subject)).toEqual([]);
});

it("lists repositories name by name, wherever a page begins", async () => {
  const { store } = await openStore();
  for (const name of ["a-b", "a/b", "a", "b/c/d", "a/b/c"]) await pushImage(store, name, "v1");
  const order = ["a", "a/b", "a/b/c", "a-b", "b/c/d"];

  for (const [index, last] of [undefined, ...order].entries()) {
    const page = await store.catalog.list({ limit: 2, last }, call);
    expect(page).toEqual({
      names: order.slice(index, index + 2),
      more: index + 2 < order.length,
    });
  }
});

async function openStore(): Promise<{ directory: string; store: ImageStore }> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-images-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { directory, store: await storeAt(directory) };
}

async function storeAt(rootdirectory: string, logger?: FakeLogger): Promise<ImageStore> {
  const storage = await openFilesystemStorage({ rootdirectory }, { access: "write" });
  return imageStoreOn(storage, {
    ...{ clock: systemClock, logger },
    validation: { urls: { allow: [], deny: [] } },
  });
}

async function blobIn(store: ImageStore, repository: string, digest: Digest) {
  const blob = await store.blobs.find(repository, digest, call);
  return blob && (await collect(await blob.open({}, call), 1_000_000));
}

async function referrersOf(store: ImageStore, subject: Digest): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const { digest } of store.referrers.list("a", subject, { ...call, last: undefined })) {
    digests.push(digest);
  }
  return digests;
}

async function place(directory: string, path: string, content: string | Uint8Array) {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), content);
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1))
    .sort();
}

async function* breakingOff(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
  throw new Error("gone");
}

async function* gated(open: Promise<void>): AsyncGenerator<Uint8Array> {
  await open;
  yield piece;
}
