import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uploadPath, uploadsPath } from "../images/paths.ts";
import { call, chunk } from "../images/pushed-image.fake.ts";
import { type CollectedStore, openCollectedStore } from "./collected-store.fake.ts";
import { purgeUploads } from "./purge-uploads.ts";

const hourMs = 3_600_000;

it.each([false, true])("gives up uploads that got no byte for long; dry run %s", async (dryRun) => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  const idle = await begun(opened, "never/finished");
  const busy = await begun(opened, "never/finished");
  const young = await begun(opened, "other");
  for (const { repository, id } of [idle, busy]) await makeOld(opened, repository, id);
  await store.uploads.append("never/finished", busy.id, chunk(Buffer.from("more")), call);
  const told: string[] = [];

  const purged = await purgeUploads(
    storage,
    { ageMs: hourMs, dryRun, clock: systemClock, tell: ({ id }) => told.push(id) },
    call,
  );

  expect(purged).toBe(1);
  expect(told).toEqual([idle.id]);
  const left = dryRun ? [idle.id, busy.id] : [busy.id];
  const directory = join(opened.directory, uploadsPath("never/finished"));
  expect((await readdir(directory)).toSorted()).toEqual(left.toSorted());
  expect(await store.uploads.find("other", young.id, call)).toMatchObject({ size: 4 });
});

async function begun({ store }: CollectedStore, repository: string) {
  const upload = await store.uploads.begin(repository, { ...call, algorithm: "sha256" });
  return store.uploads.append(repository, upload.id, chunk(Buffer.from("part")), call);
}

async function makeOld({ directory }: CollectedStore, repository: string, id: string) {
  const past = new Date(Date.now() - 2 * hourMs);
  for (const file of ["data", "startedat"]) {
    await utimes(join(directory, uploadPath(repository, id), file), past, past);
  }
}
