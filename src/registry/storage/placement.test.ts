import { fsyncSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { PlacedStep } from "../storage-driver.ts";
import { MadeDirectories } from "./made-directories.ts";
import { putInTurn } from "./placement.ts";

it("lets no name be seen before its bytes are there for good, and none of a step before the last", async () => {
  const { root, draft, made } = await place();
  const order: string[] = [];
  const medium = {
    async sync(fd: number) {
      await setImmediate();
      fsyncSync(fd);
      order.push(`${relative(root, readlinkSync(`/proc/self/fd/${fd}`))} s`);
    },
    rename(from: string, to: string) {
      renameSync(from, to);
      order.push(`${relative(root, to)} r`);
    },
  };
  const steps = [
    { drafts: [draft("blob/data"), draft("revision/link")], sizes: [1] },
    { drafts: [draft("v1/index/link"), draft("v1/current/link")], sizes: [2] },
  ];
  const seen: string[][] = [];

  const renamed = async ({ sizes }: { sizes: number[] }) => {
    seen.push(order.filter((what) => what.endsWith(" r")));
    return { sizes, read: [] };
  };
  const done = await putInTurn(steps, made, renamed, medium);
  const until = (what: string) => order.slice(0, order.indexOf(what));

  expect(done.map(({ sizes }) => sizes)).toEqual([[1], [2]]);
  expect(order.filter((what) => what.endsWith(" r"))).toEqual([
    ...["blob/data r", "revision/link r", "v1/index/link r", "v1/current/link r"],
  ]);
  expect(until("blob/data r")).toEqual(
    expect.arrayContaining(["blob/data.tmp s", "revision/link.tmp s"]),
  );
  expect(until("v1/index/link r")).toEqual(
    expect.arrayContaining([
      "blob s",
      "revision s",
      "v1/index/link.tmp s",
      "v1/current/link.tmp s",
    ]),
  );
  expect(order.slice(-2).sort()).toEqual(["v1/current s", "v1/index s"]);
  expect(seen.map(({ length }) => length)).toEqual([2, 4]);
});

it("goes no further when something is missing, and leaves no draft", async () => {
  const { root, draft, made } = await place();
  const steps = [{ drafts: [draft("a/one")] }, { drafts: [draft("a/two"), draft("b/three")] }];

  const done = await putInTurn(steps, made, async () => found(undefined));

  expect(done).toEqual([found(undefined)]);
  expect(await filesIn(root)).toEqual(["a/one"]);
});

it("says which of all files it could not put in its place, and takes the others back", async () => {
  const { root, draft, made } = await place();
  const gone = { draft: join(root, "nowhere"), target: join(root, "a/two"), bytes: undefined };
  const steps = [{ drafts: [draft("a/one")] }, { drafts: [gone, draft("b/three")] }];

  await expect(putInTurn(steps, made, async () => found())).rejects.toMatchObject({
    place: gone.draft,
  });

  expect(await filesIn(root)).toEqual([]);
});

it("keeps the steps that were done when a later one fails", async () => {
  const { root, draft, made } = await place();
  const moved = { draft: join(root, "from"), target: join(root, "a/two"), bytes: undefined };
  await writeFile(moved.draft, "x");
  const steps = [{ drafts: [draft("a/one")] }, { drafts: [moved, draft("b/three")] }];

  const placing = putInTurn(steps, made, async () => {
    await rm(moved.draft, { force: true }); // as another process may
    return found();
  });

  await expect(placing).rejects.toMatchObject({ code: "ENOENT", place: moved.draft });
  expect(await filesIn(root)).toEqual(["a/one"]);
});

it("writes a draft again whose directory another process has removed", async () => {
  const { root, draft, made } = await place();
  const steps = [{ drafts: [draft("a/one")] }, { drafts: [draft("tag/two")] }];

  await putInTurn(steps, made, async () => {
    if ((await filesIn(root)).includes("tag/two")) return found();
    await rm(join(root, "tag"), { recursive: true });
    return found();
  });

  expect(await filesIn(root)).toEqual(["a/one", "tag/two"]);
  expect(await readFile(join(root, "tag/two"), "utf8")).toBe("tag/two");
});

it("makes a directory again that was removed while it was empty, and waits for its name", async () => {
  const { root } = await place();
  const kept: string[] = [];
  const made = new MadeDirectories(async (holder) => void kept.push(relative(root, holder)));
  const upload = { draft: join(root, "upload"), target: join(root, "ab/blob/data") };
  await writeFile(upload.draft, "x");
  const removals = [() => made.keep([dirname(upload.target)]), () => rmdir(dirname(upload.target))];
  const medium = {
    async sync() {
      for (const removal of removals.splice(0)) await removal();
    },
    rename: renameSync,
  };

  await putInTurn(
    [{ drafts: [{ ...upload, bytes: undefined }] }],
    made,
    async () => found(),
    medium,
  );

  expect(await filesIn(root)).toEqual(["ab/blob/data"]);
  expect(kept.filter((holder) => holder === "ab")).toHaveLength(2);
});

it("says which file has no room when it is written again", async () => {
  const { root, draft, made } = await place();
  const steps = [{ drafts: [draft("a/one"), draft("b/two"), draft("c/three")] }];
  let left = 3;
  const medium = {
    async sync() {
      if (left-- <= 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    },
    rename(from: string, to: string) {
      if (to.endsWith("two")) rmSync(join(root, "b"), { recursive: true, force: true });
      renameSync(from, to);
    },
  };

  await expect(putInTurn(steps, made, async () => found(), medium)).rejects.toMatchObject({
    ...{ code: "ENOSPC", place: join(root, "b/two") },
  });
});

it("says which directory has no room for a name", async () => {
  const { root, draft, made } = await place();
  const steps = [{ drafts: [draft("a/one"), draft("a/two"), draft("b/three")] }];
  const medium = {
    async sync(fd: number) {
      const isFull = readlinkSync(`/proc/self/fd/${fd}`) === join(root, "b");
      if (isFull) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    },
    rename: renameSync,
  };

  await expect(putInTurn(steps, made, async () => found(), medium)).rejects.toMatchObject({
    ...{ code: "ENOSPC", place: join(root, "b") },
  });
});

it("writes nothing when something is missing before the first step that has files", async () => {
  const { root, draft, made } = await place();
  const steps = [{ drafts: [] }, { drafts: [] }, { drafts: [draft("a/one")] }];
  const sizes = [1, 0];

  const done = await putInTurn(steps, made, async () => found(sizes.shift()));

  expect(done).toEqual([found(1), found(0)]);
  expect(await readdir(root)).toEqual([]);
});

function found(...sizes: (number | undefined)[]): PlacedStep {
  return { sizes, read: [] };
}

async function place() {
  const root = await mkdtemp(join(tmpdir(), "dewy-placement-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return {
    ...{ root, made: new MadeDirectories(undefined) },
    draft(path: string) {
      const target = join(root, path);
      return { draft: `${target}.tmp`, target, bytes: Buffer.from(path) };
    },
  };
}

async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => relative(root, join(parentPath, name))).sort();
}
