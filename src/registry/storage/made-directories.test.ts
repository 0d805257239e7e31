import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { MadeDirectories } from "./made-directories.ts";

it("waits for all that holds what it made, once, and for nothing else", async () => {
  const { root, made, synced } = await begin();
  made.make(join(root, "a/b/c"));
  made.make(join(root, "x"));

  await made.keep([join(root, "a/b/c")]);
  expect(synced()).toEqual([".", "a", "a/b"]);

  made.make(join(root, "a/b/c"));
  await made.keep([join(root, "a/b/c"), join(root, "x")]);
  expect(synced()).toEqual([]);
});

it("waits for what somebody else has made, until that is kept", async () => {
  const { root, made, synced } = await begin();

  for (const each of ["a/b", "a/c"]) made.make(join(root, each));
  await Promise.all(["a/b", "a/c"].map((each) => made.keep([join(root, each)])));

  expect(new Set(synced())).toEqual(new Set([".", "a"]));
});

it("waits again for what was made in there while it waited", async () => {
  const { root, made, synced, during } = await begin();
  made.make(join(root, "a/b"));
  during.push(async () => made.make(join(root, "a/c")));

  await made.keep([join(root, "a/b")]);
  synced();
  await made.keep([join(root, "a/c")]);

  expect(synced()).toContain("a");
});

it("waits for it the next time when it could not be", async () => {
  const { root, made, synced, during } = await begin();
  made.make(join(root, "a"));
  during.push(() => Promise.reject(new Error("EIO")));

  await expect(made.keep([join(root, "a")])).rejects.toThrow("EIO");
  synced();
  await made.keep([join(root, "a")]);

  expect(synced()).toEqual(["."]);
});

it("remembers of a directory for drafts only what it is in", async () => {
  const { root, made, synced } = await begin();

  made.makeForDrafts(join(root, "a/_uploads/1"));
  made.makeForDrafts(join(root, "a/_uploads/2"));
  await made.keep([join(root, "a/_layers"), join(root, "a/_uploads/1")]);

  expect(synced()).toEqual([".", "a"]);
});

/** `synced` tells what was waited for since it was last asked; `during` is done at the next waits. */
async function begin() {
  const root = await mkdtemp(join(tmpdir(), "dewy-made-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const all: string[] = [];
  const during: (() => Promise<void>)[] = [];
  const made = new MadeDirectories(async (directory) => {
    all.push(directory === root ? "." : directory.slice(root.length + 1));
    await during.shift()?.();
  });
  return { root, made, during, synced: () => all.splice(0).sort() };
}
