import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import {
  type CollectedStore,
  openCollectedStore,
  pushBlob,
  pushManifest,
} from "../../registry/garbage/collected-store.fake.ts";
import { readScrubRecord } from "../../registry/garbage/scrub-record.ts";
import { blobDataPath } from "../../registry/images/paths.ts";
import { call } from "../../registry/images/pushed-image.fake.ts";
import { planned } from "../main.fake.ts";

it("says what would go and why, then deletes it, and brings it back", async () => {
  const opened = await openCollectedStore();
  const { store } = opened;
  await pushManifest(store, "team/app", { tag: "v1", layers: ["kept"] });
  const image = await pushManifest(store, "team/app", { layers: ["own"] });
  const config = await configured(opened);
  const own = digestOf("own");

  const dry = await dewy(`registry garbage-collect --dry-run -m ${config}`);
  expect(dry).toMatchObject({ status: 0, noted: [] });
  expect(dry.printed).toContain("team/app");
  expect(dry.printed).toContain(
    `team/app: manifest eligible for deletion: ${image} (it has no tag, subject or referrer)`,
  );
  expect(dry.printed).toContain(`blob eligible for deletion: ${own} (no manifest names it)`);
  expect(dry.printed.at(-1)).toMatch(
    /^1 manifests marked, 2 blobs \(\d+ bytes\), 1 manifests and 1 layer links eligible/,
  );
  expect(await store.blobs.find("team/app", own, call)).toBeDefined();

  const wet = await dewy(`registry garbage-collect --delete-untagged --quiet ${config}`);
  expect(wet.printed).toEqual([expect.stringContaining("1 manifests and 1 layer links deleted")]);
  expect(await store.manifests.has("team/app", image, call)).toBe(false);

  const back = await dewy(`registry garbage-collect --restore -q ${config}`);
  expect(back.printed).toEqual(["4 files brought back"]);
  expect(await store.blobs.find("team/app", own, call)).toBeDefined();
});

it("keeps what was used within the grace period, one hour unless told otherwise", async () => {
  const opened = await openCollectedStore();
  await pushBlob(opened.store, "a", "orphan");
  const config = await configured(opened, "{}");

  const early = await dewy(`registry garbage-collect ${config}`);
  expect(early.printed.join("\n")).toMatch(/a: layer link kept: sha256:\w+ \(.* used \d+ s ago\)/);

  await makeOld(opened);
  const late = await dewy(`registry garbage-collect --grace 2h ${config}`);
  expect(late.printed.join("\n")).toMatch(/0 blobs \(0 bytes\)/);
  const now = await dewy(`registry garbage-collect ${config}`);
  expect(now.printed.slice(-2)).toEqual([
    expect.stringContaining("1 blobs (6 bytes)"),
    "kept for 1 day, until which --restore brings it back; --trash 0 frees its room at once",
  ]);
  const freed = await dewy(`registry garbage-collect --trash 0 ${config}`);
  expect(freed.printed).toHaveLength(2);
  expect(await readdir(join(opened.directory, "dewy/trash"))).toEqual([]);
});

it("leaves a storage as it is in a dry run, also one that is not there", async () => {
  const opened = await openCollectedStore();
  const config = await configured(opened);
  await rm(opened.directory, { recursive: true });

  const { status, noted } = await dewy(`registry garbage-collect -d ${config}`);

  expect(status).toBe(2);
  expect(noted[0]).toContain("is not there");
  await expect(readdir(opened.directory)).rejects.toMatchObject({ code: "ENOENT" });
});

it.each([
  ["--grace soon", "--grace: write a duration such as 30m or 24h"],
  ["--restore --dry-run", "--restore goes with --quiet only"],
  ["--untagged", "unknown option '--untagged'"],
])("refuses %s", async (flags, expected) => {
  const opened = await openCollectedStore();

  const answer = await dewy(`registry garbage-collect ${flags} ${await configured(opened)}`);

  expect(answer.noted.join("\n")).toContain(expected);
  expect(answer.status).toBe(2);
});

it("cannot see into the memory of another process", async () => {
  const { directory } = await openCollectedStore();
  const config = join(directory, "config.yml");
  await writeFile(config, "version: 0.1\nstorage: {inmemory: }\n");

  const { status, noted } = await dewy(`registry garbage-collect ${config}`);

  expect(status).toBe(2);
  expect(noted[0]).toContain("storage.maintenance.garbagecollect");
});

it.each(["garbage-collect", "scrub"])("%s makes no storage where there is none", async (name) => {
  const { directory } = await openCollectedStore();
  const file = await configured({ directory: join(directory, "typo") } as CollectedStore);

  const { status, noted } = await dewy(`registry ${name} ${file}`);

  expect(status).toBe(2);
  expect(noted).toEqual([
    `dewy: the storage directory ${join(directory, "typo")} is not there: name the config.yml that the registry is served with`,
  ]);
  expect(await readdir(directory)).toEqual(["typo.yml"]);
});

it("finds rotten blobs, and changes nothing unless asked", async () => {
  const opened = await openCollectedStore();
  const { store, directory } = opened;
  const rotten = await pushBlob(store, "a", "rotten");
  const sound = await pushBlob(store, "a", "sound");
  const path = join(directory, blobDataPath(rotten));
  const config = await configured(opened);
  expect(await dewy(`registry scrub ${config}`)).toMatchObject({
    status: 0,
    printed: ["2 blobs (11 bytes) read, 0 rotten"],
  });
  await writeFile(path, "rotted");

  const found = await dewy(`registry scrub ${config}`);
  expect(found.printed).toContain(`rotten: ${rotten} hashes to ${digestOf("rotted")}`);
  expect(found.printed).toContain(`a has ${rotten}`);
  expect(found.status).toBe(1);
  expect(await store.blobs.find("a", rotten, call)).toBeDefined();

  await dewy(`registry scrub --set-aside ${config}`);
  expect(await store.blobs.find("a", rotten, call)).toBeUndefined();
  expect(await readdir(join(directory, "dewy/rotten/sha256"))).toEqual([rotten.slice(7)]);
  await pushBlob(store, "a", "rotten");
  await dewy(`registry garbage-collect --grace 1h ${config}`);
  expect(await dewy(`registry scrub ${config}`)).toMatchObject({ status: 0 });
  expect(await store.blobs.find("a", sound, call)).toBeDefined();
});

it("notes for the schedule that it has scrubbed, where there is one", async () => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  await pushBlob(store, "a", "sound");

  await dewy(`registry scrub ${await configured(opened)}`);
  expect(await readScrubRecord(storage, call)).toBeUndefined();

  const before = Date.now();
  await dewy(`registry scrub ${await configured(opened, "{}, scrub: {enabled: true}")}`);
  const at = await readScrubRecord(storage, call);
  expect(at?.getTime()).toBeGreaterThanOrEqual(before);
});

function dewy(line: string) {
  return planned(line.split(" "));
}

async function configured({ directory }: CollectedStore, collect = "{grace: 0s}"): Promise<string> {
  const file = `${directory}.yml`;
  await writeFile(
    file,
    `version: 0.1
storage:
  filesystem: {rootdirectory: ${directory}}
  maintenance: {garbagecollect: ${collect}}
`,
  );
  return file;
}

async function makeOld({ directory }: CollectedStore): Promise<void> {
  const past = new Date(Date.now() - 5_400_000);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    await utimes(join(entry.parentPath, entry.name), past, past);
  }
}
