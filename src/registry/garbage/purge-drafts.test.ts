import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath, tagLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { type CollectedStore, openCollectedStore, pushManifest } from "./collected-store.fake.ts";
import { draftPurgerFor } from "./collector.ts";
import { purgeDrafts } from "./purge-drafts.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const killed = digestOf("killed");

it("deletes the drafts of pushes that were killed, once they are old, and what only they were in", async () => {
  const opened = await openCollectedStore();
  const whole = await pushManifest(opened.store, "a", { tag: "v1", layers: ["layer"] });
  const left = [
    ...[blobDataPath(killed), layerLinkPath("a", killed), revisionLinkPath("a", killed)],
    ...[tagLinkPath("a", "new"), tagLinkPath("a", "v1"), blobDataPath(whole), "/dewy/garbage/run"],
  ];
  const drafts = await Promise.all(left.map((path) => draftOf(opened, path, 8 * dayMs)));
  const young = await draftOf(opened, blobDataPath(digestOf("young")), 6 * dayMs);
  const before = (await filesIn(opened)).filter((path) => !drafts.includes(path));

  expect(await purge(opened, { dryRun: true })).toBe(drafts.length);
  expect(drafts.filter(existsSync)).toEqual(drafts);
  expect(await purge(opened)).toBe(drafts.length);

  const noted = join(opened.directory, "dewy/drafts-purged");
  expect((await filesIn(opened)).filter((path) => path !== noted)).toEqual(before);
  expect(before).toContain(young);
  const [blob, layer, revision, tag] = drafts.map(dirname);
  expect(
    [blob, layer, revision, dirname(tag ?? "")].filter((path) => existsSync(`${path}`)),
  ).toEqual([]);
  expect(await opened.store.manifests.readTag("a", "v1", call)).toMatchObject({ digest: whole });
});

it("deletes none that a push may be writing, however short the age is", async () => {
  const opened = await openCollectedStore();
  const draft = await draftOf(opened, blobDataPath(killed), 60_000);

  expect(await purge(opened, { ageMs: 1_000 })).toBe(0);
  expect(existsSync(draft)).toBe(true);
});

it("looks for them once in such a time, whichever registry does", async () => {
  const opened = await openCollectedStore();
  const clock = new FakeClock(new Date());

  expect(await purge(opened, { clock })).toBe(0);
  await clock.advance(6 * dayMs);
  expect(await purge(opened, { clock })).toBeUndefined();
  await clock.advance(2 * dayMs);
  expect(await purge(opened, { clock })).toBe(0);
});

function purge(
  { directory, storage }: CollectedStore,
  { ageMs = 7 * dayMs, dryRun = false, clock = new FakeClock(new Date()) } = {},
): Promise<number | undefined> {
  const drafts = draftPurgerFor({ driver: "filesystem", options: { rootdirectory: directory } });
  return purgeDrafts({ ageMs, dryRun }, { storage, drafts, clock }, call);
}

/** As a push leaves it that is killed before it puts the file into its place. */
async function draftOf(
  { directory }: CollectedStore,
  path: string,
  ageMs: number,
): Promise<string> {
  const draft = join(directory, `${path}.${randomUUID()}.tmp`);
  await mkdir(dirname(draft), { recursive: true });
  await writeFile(draft, "half");
  const then = new Date(Date.now() - ageMs);
  await utimes(draft, then, then);
  return draft;
}

async function filesIn({ directory }: CollectedStore): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name)).sort();
}
