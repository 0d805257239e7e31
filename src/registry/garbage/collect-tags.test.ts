import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { type ImageStore, imageStoreOn } from "../images/image-store.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath, tagLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { placingThrough } from "../storage-driver.fake.ts";
import type { StorageDriver } from "../storage-driver.ts";
import {
  age,
  type CollectedStore,
  openCollectedStore,
  pushManifest,
} from "./collected-store.fake.ts";

const killed = new Error("killed");
const die = () => Promise.reject(killed);

it("keeps what is pushed while a collection begins and ends before its tag is there", async () => {
  for (const old of ["pushed before", undefined]) {
    const opened = await openCollectedStore();
    if (old) await pushManifest(opened.store, "a", { tag: "v1", layers: [old] });
    const pusher = pusherOn(opened, {
      async beforeTag() {
        expect((await opened.collect({ deleteUntagged: true })).totals.manifests).toBe(1);
      },
    });

    await pushManifest(pusher, "a", { tag: "v1" });

    await expectWhole(opened);
  }
});

it("lets the grace of a manifest begin when its tag moves on, though another process had set it", async () => {
  const opened = await openCollectedStore();
  const { store, storage, collect } = opened;
  await pushManifest(store, "a", { tag: "latest", layers: ["first"] });
  const other = imageStoreOn(storage, { clock: systemClock, validation: undefined });
  const theirs = await pushManifest(other, "a", { tag: "latest", layers: ["theirs"] });
  await age(opened, revisionLinkPath("a", theirs));

  await pushManifest(store, "a", { tag: "latest", layers: ["last"] });

  await collect({ deleteUntagged: true, graceMs: 60_000 });
  expect(await store.manifests.has("a", theirs, call)).toBe(true);
});

it("refuses a manifest that is gone for good when it gets its tag, which stays as it was", async () => {
  for (const old of ["pushed before", undefined]) {
    const opened = await openCollectedStore();
    const { store, collect } = opened;
    const before = old && (await pushManifest(store, "a", { tag: "v1", layers: [old] }));
    const pusher = pusherOn(opened, {
      async beforeTag() {
        await collect({ deleteUntagged: true, trashMs: 0 });
      },
    });

    await expect(pushManifest(pusher, "a", { tag: "v1" })).rejects.toMatchObject({
      code: "MANIFEST_BLOB_UNKNOWN",
    });

    expect((await store.manifests.readTag("a", "v1", call))?.digest).toBe(before);
    expect(await store.tags.read("a", "v1", call)).toBe(before);
  }
});

for (const moment of ["before", "after"] as const) {
  it(`keeps a manifest that gets its tag just ${moment} it is taken`, async () => {
    const opened = await openCollectedStore();

    await pushInsideCollection(opened, moment, async () => {});

    await expectWhole(opened);
  });

  it(`keeps what got its tag just ${moment} it was taken when the pusher is killed`, async () => {
    const opened = await openCollectedStore();

    await expect(pushInsideCollection(opened, moment, die)).rejects.toBe(killed);

    await expectWhole(opened);
  });
}

it("brings back what got its tag when it was taken, though its pusher was killed", async () => {
  for (const look of ["next collection", "pull"] as const) {
    const opened = await openCollectedStore();
    const collect = () => opened.collect({ deleteUntagged: true, trashMs: 1 });
    const pusher = pusherOn(opened, {
      async beforeTag() {
        await collect();
      },
      afterTag: die,
    });
    await expect(pushManifest(pusher, "a", { tag: "v1" })).rejects.toBe(killed);

    if (look === "next collection") expect((await collect()).totals.restored).toBe(1);
    else expect(await opened.store.manifests.readTag("a", "v1", call)).toBeDefined();

    await expectWhole(opened);
  }
});

/** Another process on the same storage, and what happens around its writing of the tag. */
function pusherOn(
  { storage }: CollectedStore,
  { beforeTag, afterTag }: { beforeTag(): Promise<void>; afterTag?(): Promise<void> },
): ImageStore {
  let isDone = false;
  const intercepted = placingThrough(storage, async (path, put) => {
    const isTurn = path === tagLinkPath("a", "v1") && !isDone;
    isDone ||= isTurn;
    if (isTurn) await beforeTag();
    await put();
    if (isTurn) await afterTag?.();
  });
  const validation = { urls: { allow: [], deny: [] } };
  return imageStoreOn(intercepted, { clock: systemClock, validation });
}

/**
 * A push whose tag is written by hand: a collection begins when its link is there, and stops around
 * the renaming of that until the push has ended.
 */
async function pushInsideCollection(
  opened: CollectedStore,
  moment: "before" | "after",
  afterTag: () => Promise<void>,
): Promise<void> {
  let collection: Promise<unknown> | undefined;
  const beforeTag = () =>
    new Promise<void>((resolve) => {
      collection = collectWith(opened, moment, async () => {
        resolve();
        await push.catch(() => {});
      });
    });
  const push = pushManifest(pusherOn(opened, { beforeTag, afterTag }), "a", { tag: "v1" });
  await Promise.allSettled([push]);
  await collection;
  await push;
}

/** Collects, and does `work` around the first renaming of a link to a manifest. */
async function collectWith(
  { storage, collect }: CollectedStore,
  moment: "before" | "after",
  work: () => Promise<void>,
): Promise<void> {
  let isDone = false;
  const intercepted: StorageDriver = {
    ...storage,
    async setAside(from, to, asideCall) {
      const isTurn = from.includes("/_manifests/revisions/") && !isDone;
      isDone ||= isTurn;
      if (isTurn && moment === "before") await work();
      const result = await storage.setAside(from, to, asideCall);
      if (isTurn && moment === "after") await work();
      return result;
    },
  };
  await collect({ deleteUntagged: true }, intercepted);
  expect(isDone).toBe(true);
}

/** Follows the tag on the disk, and does so again after the next collection. */
async function expectWhole({ storage, store, collect }: CollectedStore): Promise<void> {
  for (const round of ["now", "after the next collection"]) {
    const digest = await store.tags.read("a", "v1", call);
    if (digest === undefined) throw new Error("there is no tag");
    const layer: Digest = digestOf("layer");
    const paths = [
      ...[revisionLinkPath("a", digest), blobDataPath(digest)],
      ...[layerLinkPath("a", layer), blobDataPath(layer)],
    ];
    for (const path of paths) expect(await storage.stat(path, call), round).toBeDefined();
    await collect({ deleteUntagged: true, trashMs: 0 });
  }
}
