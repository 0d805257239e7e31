import { existsSync } from "node:fs";
import { stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath, uploadPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { trashOn } from "../images/trash.ts";
import {
  type CollectedStore,
  openCollectedStore,
  pushBlob,
  pushManifest,
} from "./collected-store.fake.ts";
import { purgeUploads } from "./purge-uploads.ts";

const hourMs = 3_600_000;
const yearMs = 8_760 * hourMs;
const inAYear = () => new Date(Date.now() + yearMs);
const graceMs = 24 * hourMs;

it("keeps what was pushed while the clock was ahead for its grace, and not for a year", async () => {
  const opened = await openCollectedStore();
  const { store, collect } = opened;
  const orphan = await pushBlob(store, "a", "orphan");
  const untagged = await pushManifest(store, "a", { layers: ["layer"] });
  const tagged = await pushManifest(store, "a", { tag: "v1", layers: ["tagged"] });
  const paths = [
    ...[orphan, digestOf("layer"), digestOf("tagged")].flatMap((digest) => filesOf(digest)),
    ...[untagged, tagged].flatMap((digest) => [
      revisionLinkPath("a", digest),
      blobDataPath(digest),
    ]),
  ];
  for (const path of paths) await setTime(opened, path, inAYear());

  const first = await collect({ graceMs, deleteUntagged: true });
  expect(first.totals).toMatchObject({ manifests: 0, layerLinks: 0, blobs: 0 });
  expect(await store.blobs.find("a", orphan, call)).toBeDefined();
  const clock = new FakeClock(new Date(Date.now() + 2 * graceMs));
  const second = await collect({ graceMs, deleteUntagged: true, clock });
  const third = await collect({ graceMs, deleteUntagged: true, clock });

  expect([second, third].map(({ totals }) => totals.manifests)).toEqual([1, 0]);
  expect(await store.blobs.find("a", orphan, call)).toBeUndefined();
  expect(await store.manifests.has("a", untagged, call)).toBe(false);
  expect(await store.manifests.read("a", tagged, call)).toBeDefined();
  expect(await store.blobs.find("a", digestOf("tagged"), call)).toBeDefined();
});

it("changes no time in a dry run", async () => {
  const opened = await openCollectedStore();
  const orphan = await pushBlob(opened.store, "a", "orphan");
  await setTime(opened, blobDataPath(orphan), inAYear());

  await opened.collect({ graceMs, dryRun: true });

  const { mtimeMs } = await stat(join(opened.directory, blobDataPath(orphan)));
  expect(mtimeMs).toBeGreaterThan(Date.now() + yearMs / 2);
});

it("keeps what a collection took while the clock was ahead for as long as any other", async () => {
  const { store, storage, directory, collect } = await openCollectedStore();
  const orphan = await pushBlob(store, "a", "orphan");
  await collect({ clock: new FakeClock(inAYear()), trashMs: graceMs });
  expect(existsSync(join(directory, blobDataPath(orphan)))).toBe(false);

  await collect({ trashMs: graceMs });
  expect(await trashOn(storage).runs(call)).toHaveLength(1);
  expect(await trashOn(storage).restore(blobDataPath(orphan), call)).toBe(true);
  await collect({ clock: new FakeClock(new Date(Date.now() + 2 * graceMs)), trashMs: graceMs });

  const runs = await trashOn(storage).runs(call);
  expect(runs.map(({ begunMs }) => begunMs > Date.now() + 3 * graceMs)).not.toContain(true);
});

it.each(["before", "after"])(
  "takes nothing %s the clock is set back behind its cutoff",
  async (moment) => {
    const opened = await openCollectedStore();
    const { store, storage, directory, collect } = opened;
    const layer = await pushBlob(store, "a", "layer");
    const clock = new FakeClock(inAYear());
    const setBack = () => clock.advance(-yearMs);
    const moved = {
      ...storage,
      async setAside(...names: Parameters<typeof storage.setAside>) {
        const result = await storage.setAside(...names);
        if (moment === "after" && names[0] === layerLinkPath("a", layer)) await setBack();
        return result;
      },
      async stat(...names: Parameters<typeof storage.stat>) {
        const result = await storage.stat(...names);
        const isLooked = names[0] === blobDataPath(layer);
        if (moment === "before" && isLooked && clock.now().getTime() > Date.now() + hourMs) {
          await setBack();
        }
        return result;
      },
    };

    await expect(collect({ clock, graceMs }, moved)).rejects.toMatchObject({
      code: "CLOCK_SET_BACK",
    });

    for (const path of filesOf(layer)) expect(existsSync(join(directory, path)), path).toBe(true);
    await collect({ graceMs });
    expect(await store.blobs.find("a", layer, call)).toBeDefined();
  },
);

it("gives up uploads of a time when the clock was ahead, once they have been idle for long", async () => {
  const opened = await openCollectedStore();
  const { store, storage, directory } = opened;
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  await setTime(opened, `${uploadPath("a", id)}/startedat`, inAYear());
  const purgedAt = (now: Date) =>
    purgeUploads(
      storage,
      { ageMs: graceMs, dryRun: false, clock: new FakeClock(now), tell() {} },
      call,
    );

  expect(await purgedAt(new Date())).toBe(0);
  expect(existsSync(join(directory, uploadPath("a", id)))).toBe(true);

  expect(await purgedAt(new Date(Date.now() + 2 * graceMs))).toBe(1);
});

it.each([
  [-1_000, "BUSY"],
  [600_000, "BUSY"],
  [-120_000, undefined],
  [yearMs, undefined],
])("takes a collection of another host that was heard of %i ms ahead for %s", async (ms, code) => {
  const opened = await openCollectedStore();
  const lock = "/dewy/garbage/lock";
  const holder = JSON.stringify({ token: "t", host: "elsewhere", pid: 1 });
  await opened.storage.write(lock, Buffer.from(holder), call);
  await setTime(opened, lock, new Date(Date.now() + ms));

  const error = await opened.collect().then(
    () => undefined,
    (error: unknown) => error,
  );

  expect((error as { code?: string } | undefined)?.code).toBe(code);
});

const filesOf = (digest: Digest) => [layerLinkPath("a", digest), blobDataPath(digest)];

async function setTime({ directory }: CollectedStore, path: string, at: Date): Promise<void> {
  await utimes(join(directory, path), at, at);
}
