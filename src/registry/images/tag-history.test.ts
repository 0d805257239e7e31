import { appendFile, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { openFilesystemStorage } from "../storage/filesystem.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import { imageStoreOn } from "./image-store.ts";
import { tagHistoryPath } from "./paths.ts";
import { call, pushImage, putOf } from "./pushed-image.fake.ts";
import { tagHistoryOn } from "./tag-history.ts";

const [one, two] = [digestOf("one"), digestOf("two")];

it("tells who set a tag to what, and who deleted it, newest first", async () => {
  const { store, history } = await openHere();
  const first = await pushImage(store, "a/b", "v1");
  const put = putOf((await pushImage(store, "a/b", "other")).bytes, "v1");
  const { digest } = await store.manifests.write("a/b", put, { ...call, actor: "alice" });
  await store.manifests.write("a/b", put, { ...call, actor: "bob" }); // which changes nothing
  await store.tags.delete("a/b", "v1", { ...call, actor: "carol" });

  expect(await history.list("a/b", "v1", call)).toMatchObject([
    { digest: undefined, previous: digest, actor: "carol" },
    { digest, previous: first.digest, actor: "alice" },
    { digest: first.digest, previous: undefined, actor: undefined },
  ]);
});

it("notes a tag that goes with its manifest", async () => {
  const { store, history } = await openHere();
  const { digest } = await pushImage(store, "a", "v1");

  await store.manifests.delete("a", digest, { ...call, actor: "carol" });

  expect((await history.list("a", "v1", call))[0]).toMatchObject({
    digest: undefined,
    previous: digest,
    actor: "carol",
  });
});

it("is told by the tag's own links where it was lost, or another program wrote the tag", async () => {
  const { store, history, directory } = await openHere();
  const first = await pushImage(store, "a", "v1");
  const second = await pushImage(store, "a", "other");
  await store.manifests.write("a", putOf(second.bytes, "v1"), call);
  await history.settled();
  await rm(join(directory, "dewy"), { recursive: true });

  expect((await history.list("a", "v1", call)).map(({ digest }) => digest)).toEqual([
    second.digest,
    first.digest,
  ]);

  const without = imageStoreOn(await storageAt(directory), {
    clock: systemClock,
    validation: undefined,
  });
  await without.manifests.write("a", putOf(first.bytes, "v1"), call);
  expect((await history.list("a", "v1", call))[0]).toMatchObject({ digest: first.digest });
});

it("knows nothing of a tag that never was", async () => {
  const { history } = await openHere();

  expect(await history.list("a", "v1", call)).toEqual([]);
});

it("passes over a line that was cut off, and goes on after it", async () => {
  const { history, directory } = await openHere();
  await history.note("a", "v1", { digest: one, previous: undefined }, call);
  await appendFile(join(directory, tagHistoryPath("a", "v1")), '\n{"at":"2026-');

  await history.note("a", "v1", { digest: two, previous: one }, call);

  const digests = (await history.list("a", "v1", call)).map(({ digest }) => digest);
  expect(digests).toEqual([two, one]);
});

it("stays small, and keeps the newest", async () => {
  const { history, directory, clock } = await openHere();
  const path = join(directory, tagHistoryPath("a", "v1"));
  await history.note("a", "v1", { digest: one, previous: undefined }, call);
  const { size } = await stat(path);
  await writeFile(path, "\n".repeat(64 * 1024 - size));
  await history.note("a", "v1", { digest: one, previous: undefined }, call);

  await clock.advance(1);
  await history.note("a", "v1", { digest: two, previous: one }, call);

  expect((await stat(path)).size).toBeLessThan(34 * 1024);
  const digests = (await history.list("a", "v1", call)).map(({ digest }) => digest);
  expect(digests).toEqual([two, one]);
});

it("keeps every change of those who push at once", async () => {
  const { history } = await openHere();

  const numbers = Array.from({ length: 20 }, (_, number) => number);
  const note = (number: number) =>
    history.note("a", "v1", { digest: digestOf(`${number}`), previous: undefined }, call);
  await Promise.all(numbers.map(note));

  expect(await history.list("a", "v1", call)).toHaveLength(20);
});

it("lists at once what is noted soon, in the order in which it came", async () => {
  const { history } = await openHere();

  history.noteSoon("a", "v1", { digest: one, previous: undefined }, call);
  history.noteSoon("a", "v1", { digest: two, previous: one }, call);
  history.noteSoon("a", "v2", { digest: two, previous: undefined }, call);
  await history.note("a", "v1", { digest: undefined, previous: two }, call);

  const digests = (await history.list("a", "v1", call)).map(({ digest }) => digest);
  expect(digests).toEqual([undefined, two, one]);
  expect(await history.list("a", "v2", call)).toHaveLength(1);
});

it("fails nobody's push when it cannot be written", async () => {
  const logger = new FakeLogger();
  const clock = new FakeClock();
  const full: StorageDriver = {
    ...openInmemoryStorage(() => clock.now()),
    extend: () => Promise.reject(new StorageError("NO_SPACE", "the disk is full")),
  };
  const history = tagHistoryOn(full, { clock, logger });

  await history.note("a", "v1", { digest: one, previous: undefined }, call);

  expect(logger.messages("warn")).toEqual(["the change of a tag could not be noted"]);
});

async function openHere() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-history-"));
  const storage = await storageAt(directory);
  const clock = new FakeClock();
  const history = tagHistoryOn(storage, { clock, logger: new FakeLogger() });
  onTestFinished(async () => {
    await history.settled();
    await rm(directory, { recursive: true, force: true });
  });
  const store = imageStoreOn(storage, { clock, validation: undefined, history });
  return { directory, storage, clock, history, store };
}

const storageAt = (rootdirectory: string) =>
  openFilesystemStorage({ rootdirectory }, { access: "write" });
