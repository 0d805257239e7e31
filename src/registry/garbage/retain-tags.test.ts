import { utimes } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/logger.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { lastPullsOn } from "../images/last-pulls.ts";
import { tagLinkPath, tagPath, tagsPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { tagHistoryOn } from "../images/tag-history.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type CollectedStore, openCollectedStore, pushManifest } from "./collected-store.fake.ts";
import { notePullsSince, pullTimesOn } from "./pull-times.ts";
import { restoreTrash } from "./restore-trash.ts";
import { type RetainOptions, retainTags } from "./retain-tags.ts";
import type { RetentionEvent } from "./retention-event.ts";
import { jsonOfRetention, lineOfRetention } from "./retention-lines.ts";
import { RetentionOptions } from "./retention-options.ts";

const dayMs = 86_400_000;

describe("retainTags", () => {
  it("removes the tags that no rule keeps, and their manifests go with the next collection", async () => {
    const opened = await openCollectedStore();
    const digests = await pushTags(opened, "team/app", { a: 1, b: 2, c: 3, d: 4 });
    await pushTags(opened, "other", { a: 1, b: 2 });
    const keepTwo = [{ repositories: ["team/*"], keep: { newest: 2 } }];

    const { totals, lines } = await retain(opened, keepTwo);

    expect(totals).toEqual({ kept: 2, removed: 2, stopped: [] });
    expect(lines).toEqual([
      "team/app:a kept: newest 2 by push",
      "team/app:b kept: newest 2 by push",
      "team/app:c removed: not among the newest 2 by push",
      "team/app:d removed: not among the newest 2 by push",
    ]);
    expect(await tagsOf(opened, "team/app")).toEqual(["a", "b"]);
    expect(await tagsOf(opened, "other")).toEqual(["a", "b"]);
    expect(await namesBelow(opened.storage, tagsPath("team/app"))).toEqual(["a", "b"]);
    const { totals: collected } = await opened.collect({ deleteUntagged: true });
    expect(collected.manifests).toBe(2);
    expect(await opened.store.manifests.has("team/app", digests.d, call)).toBe(false);
  });

  it("begins the grace of what a tag meant when the tag goes", async () => {
    const opened = await openCollectedStore();
    const { b } = await pushTags(opened, "a", { a: 1, b: 2 });

    await retain(opened, [{ repositories: ["a"], keep: { newest: 1 } }]);

    await opened.collect({ deleteUntagged: true, graceMs: 60_000 });
    expect(await opened.store.manifests.has("a", b, call)).toBe(true);
  });

  it("notes in the tag's history that it is gone, and brings it back with the trash", async () => {
    const opened = await openCollectedStore();
    const { b } = await pushTags(opened, "a", { a: 1, b: 2 });
    await retain(opened, [{ repositories: ["a"], keep: { newest: 1 } }]);
    await opened.collect({ deleteUntagged: true });

    const [last] = await historyOf(opened).list("a", "b", call);
    await restoreTrash(opened.storage, () => {}, call);

    expect(last).toMatchObject({ digest: undefined, previous: b, actor: "(retention)" });
    expect((await opened.store.manifests.readTag("a", "b", call))?.digest).toBe(b);
  });

  it("changes nothing in a dry run", async () => {
    const opened = await openCollectedStore();
    await pushTags(opened, "a", { a: 1, b: 2 });

    const dry = await retain(opened, [{ repositories: ["a"], keep: { newest: 1 } }], {
      dryRun: true,
    });

    expect(dry.lines.at(-1)).toBe("a:b would be removed: not among the newest 1 by push");
    expect(dry.totals).toMatchObject({ kept: 1, removed: 1 });
    expect(await tagsOf(opened, "a")).toEqual(["a", "b"]);
  });

  it("leaves a repository of which more than the limit would go, unless it is forced", async () => {
    const opened = await openCollectedStore();
    const days = Object.fromEntries(Array.from({ length: 7 }, (_, place) => [`t${place}`, place]));
    await pushTags(opened, "a", days);
    await pushTags(opened, "b", { old: 2, new: 1 });
    const rules = [{ repositories: ["*"], keep: { newest: 1 } }];

    const { totals, lines } = await retain(opened, rules);

    expect(totals).toEqual({ kept: 1, removed: 1, stopped: ["a"] });
    expect(lines[0]).toBe("a: left as it is: 6 of its 7 tags would go, more than the limit of 20%");
    expect(await tagsOf(opened, "a")).toHaveLength(7);
    expect((await retain(opened, rules, { limit: 0.9 })).totals.stopped).toEqual([]);
    expect(await tagsOf(opened, "a")).toEqual(["t0"]);
  });

  it("removes beyond the limit when it is forced", async () => {
    const opened = await openCollectedStore();
    const days = Object.fromEntries(Array.from({ length: 7 }, (_, place) => [`t${place}`, place]));
    await pushTags(opened, "a", days);

    await retain(opened, [{ repositories: ["a"], keep: { newest: 1 } }], { force: true });

    expect(await tagsOf(opened, "a")).toEqual(["t0"]);
  });

  it("keeps what was pulled by tag or digest lately, once pulls have been noted for long enough", async () => {
    const opened = await openCollectedStore();
    const { storage } = opened;
    const digests = await pushTags(opened, "a", { byTag: 40, byDigest: 40, never: 40 });
    const pulls = lastPullsOn(storage, { clock: systemClock, logger: silentLogger });
    pulls.note({ repository: "a", tag: "byTag", digest: digestOf("another") }, call);
    pulls.note({ repository: "a", tag: undefined, digest: digests.byDigest }, call);
    await pulls.settled();
    const rules = [{ repositories: ["a"], keep: { pulledwithin: "14d" } }];

    const unnoted = await retain(opened, rules);
    await notePullsSince(storage, call);
    const early = await retain(opened, rules);
    await makeOld(opened, "/dewy/pulls-since", 15);
    await notePullsSince(storage, call);
    const late = await retain(opened, rules);

    expect(unnoted.totals.removed).toBe(0);
    expect(early.lines).toContain("a:never kept: pulls are not known of for 14 days yet");
    expect(late.lines).toEqual([
      "a:byDigest kept: pulled within 14 days",
      "a:byTag kept: pulled within 14 days",
      "a:never removed: not pulled for 14 days",
    ]);
  });

  for (const moment of ["before", "after"] as const) {
    it(`keeps a tag that is pushed just ${moment} it is taken`, async () => {
      const opened = await openCollectedStore();
      await pushTags(opened, "a", { a: 1, b: 2 });
      const pushed: Digest[] = [];
      const storage: StorageDriver = {
        ...opened.storage,
        async setAside(from, to, setCall) {
          const isLink = from === tagLinkPath("a", "b");
          const push = async () =>
            pushed.push(await pushManifest(opened.store, "a", { tag: "b", layers: ["new"] }));
          if (isLink && pushed.length === 0 && moment === "before") await push();
          const isDone = await opened.storage.setAside(from, to, setCall);
          if (isLink && pushed.length === 0 && moment === "after") await push();
          return isDone;
        },
      };

      await retain({ ...opened, storage }, [{ repositories: ["a"], keep: { newest: 1 } }]);

      expect(await opened.store.tags.read("a", "b", call)).toBe(pushed[0]);
      expect(await namesBelow(opened.storage, tagPath("a", "b"))).toContain("current");
    });
  }

  it("tells programs of each tag in a line of JSON", async () => {
    const opened = await openCollectedStore();
    const { a } = await pushTags(opened, "a", { a: 1 });

    const { events } = await retain(opened, [{ repositories: ["a"], keep: { newest: 1 } }]);

    expect(events.map((event) => JSON.parse(jsonOfRetention(event)))).toEqual([
      {
        ...{ repository: "a", tag: "a", digest: a, verdict: "kept" },
        reasons: ["newest 1 by push"],
        pushed: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
  });
});

async function retain(
  opened: CollectedStore,
  rules: unknown[],
  changes: Partial<RetainOptions> = {},
) {
  const events: RetentionEvent[] = [];
  const options = {
    ...v.parse(RetentionOptions, { rules }),
    ...{ force: false, dryRun: false },
    report: (event: RetentionEvent) => events.push(event),
    ...changes,
  };
  const { storage } = opened;
  const pulls = pullTimesOn(storage);
  const parts = { storage, pulls, history: historyOf(opened), clock: systemClock };
  const totals = await retainTags(parts, options, call);
  return { totals, events, lines: events.map((event) => lineOfRetention(event, options)) };
}

function historyOf({ storage }: CollectedStore) {
  return tagHistoryOn(storage, { clock: systemClock, logger: silentLogger });
}

/** Pushes an image for each tag, so many days ago. */
async function pushTags<Tag extends string>(
  opened: CollectedStore,
  repository: string,
  days: Record<Tag, number>,
): Promise<Record<Tag, Digest>> {
  const digests: Partial<Record<Tag, Digest>> = {};
  for (const tag of Object.keys(days) as Tag[]) {
    digests[tag] = await pushManifest(opened.store, repository, { tag, layers: [tag] });
    await makeOld(opened, tagLinkPath(repository, tag), days[tag]);
  }
  return digests as Record<Tag, Digest>;
}

async function makeOld({ directory }: CollectedStore, path: string, days: number): Promise<void> {
  const at = new Date(Date.now() - days * dayMs);
  await utimes(join(directory, path), at, at);
}

async function tagsOf({ store }: CollectedStore, repository: string): Promise<string[]> {
  return (await store.tags.list(repository, { limit: 100, last: undefined }, call))?.names ?? [];
}

async function namesBelow(storage: StorageDriver, path: `/${string}`): Promise<string[]> {
  const names: string[] = [];
  for await (const name of storage.list(path, call)) names.push(name);
  return names.sort();
}
