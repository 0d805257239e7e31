import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import {
  type CollectedStore,
  openCollectedStore,
  pushManifest,
} from "../../registry/garbage/collected-store.fake.ts";
import { call } from "../../registry/images/pushed-image.fake.ts";
import { planned } from "../main.fake.ts";

it("says which tags would go and why, and removes them", async () => {
  const opened = await openCollectedStore();
  await pushTags(opened, ["v1.0.0", "v1.1.0", "latest"]);
  const config = await configured(opened, "{newestversions: 1, tags: [latest]}");

  const dry = await dewy(`registry retention --dry-run ${config}`);
  const json = await dewy(`registry retention -d --json ${config}`);
  const wet = await dewy(`registry retention ${config}`);

  const why = "not among the newest 1 versions, does not match latest";
  expect(dry).toMatchObject({ status: 0, noted: [] });
  expect(dry.printed).toEqual([
    "team/app:latest kept: matches latest",
    `team/app:v1.0.0 would be removed: ${why}`,
    "team/app:v1.1.0 kept: newest 1 versions",
    "2 tags kept, 1 would be removed",
  ]);
  expect(json.printed.map((line) => JSON.parse(line).verdict)).toEqual(["kept", "removed", "kept"]);
  expect(wet.printed.at(-1)).toBe("2 tags kept, 1 removed");
  expect(await opened.store.tags.read("team/app", "v1.0.0", call)).toBeUndefined();
});

it("stops at the limit with status 1, says how to go on, and goes on with --force", async () => {
  const opened = await openCollectedStore();
  await pushTags(opened, ["a", "b", "c", "d", "e", "f", "g"]);
  const config = await configured(opened, "{tags: [a]}");

  const stopped = await dewy(`registry retention ${config}`);
  const dry = await dewy(`registry retention --dry-run ${config}`);
  const forced = await dewy(`registry retention --force ${config}`);

  expect(stopped.status).toBe(1);
  expect(stopped.noted.join("\n")).toContain(
    "too many tags would go, so these stay as they are: team/app: look at --dry-run, and mend the rules or add --force",
  );
  expect(stopped.printed).toEqual([
    "team/app: left as it is: 6 of its 7 tags would go, more than the limit of 20%",
    "0 tags kept, 0 removed, 1 repositories left as they are",
  ]);
  expect(dry.status).toBe(0);
  expect(dry.printed).toHaveLength(9);
  expect(forced).toMatchObject({ status: 0 });
  expect(forced.printed.at(-1)).toBe("1 tags kept, 6 removed");
});

it("refuses to run without a rule that says what to keep", async () => {
  const opened = await openCollectedStore();
  const config = await configured(opened);

  const { status, noted } = await dewy(`registry retention ${config}`);

  expect(status).toBe(2);
  expect(noted.join("\n")).toContain("retention.rules: no rule says what to keep");
});

it.each([
  ["keep: {}", "retention.rules.0.keep: it would remove every tag: say what to keep, by newest"],
  ["keep: {newest: 0}", "keep.newest: write a number above 0"],
  ["keep: {pushedwithin: soon}", "keep.pushedwithin: write a duration"],
  ["keep: {tags: ['/(/']}", "keep.tags.0: write a tag, such as v*, or a /regular expression/"],
  ["immutable: []", "immutable: name a tag, such as v*"],
  ["immutable: ['v 1']", "immutable.0: write a tag"],
  ["keep: {last: 3}", "keep.last: this registry knows no such key"],
  ["", "say what to keep, or what is immutable"],
])("refuses a rule with %s", async (rest, expected) => {
  const opened = await openCollectedStore();
  const config = await withRetention(opened, `rules: [{repositories: ["**"], ${rest}}]`);

  const { status, noted } = await dewy(`registry retention ${config}`);

  expect(noted.join("\n")).toContain(expected);
  expect(status).toBe(2);
});

it.each(["20", "120%", "-1%"])("refuses a limit of %s", async (limit) => {
  const config = await withRetention(await openCollectedStore(), `limit: ${limit}`);

  const { noted } = await dewy(`registry retention ${config}`);

  expect(noted.join("\n")).toContain("retention.limit: write a percentage, such as 20%");
});

function dewy(line: string) {
  return planned(line.split(" "));
}

async function pushTags({ store }: CollectedStore, tags: readonly string[]): Promise<void> {
  for (const tag of tags) await pushManifest(store, "team/app", { tag });
}

function configured(opened: CollectedStore, keep?: string): Promise<string> {
  const rule = keep === undefined ? 'immutable: ["v*"]' : `keep: ${keep}`;
  return withRetention(opened, `rules: [{repositories: ["team/*"], ${rule}}]`);
}

async function withRetention({ directory }: CollectedStore, retention: string): Promise<string> {
  const file = `${directory}.yml`;
  await writeFile(
    file,
    `version: 0.1
storage:
  filesystem: {rootdirectory: ${directory}}
  maintenance: {retention: {${retention}}}
`,
  );
  return file;
}
