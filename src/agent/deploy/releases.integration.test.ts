import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { openReleases } from "./releases.ts";
import { removeInPlace, removeTree } from "./removal.ts";

describe("Releases", () => {
  it("names releases after their second, and never two the same", async () => {
    const { releases, root } = await prepare();

    const names: string[] = [];
    for (let count = 0; count < 3; count++) {
      names.push(await releases.reserve());
      await mkdir(names.at(-1) ?? "");
    }

    const expected = ["20261121T235959Z", "20261122T000000Z", "20261122T000001Z"];
    expect(names).toEqual(expected.map((name) => join(root, "releases", name)));
    expect(await releases.list()).toEqual(names.reverse());
  });

  it("lists only releases", async () => {
    const { releases, root } = await prepare(1);
    await mkdir(join(root, "releases", ".20260101T000000Z.x.unpacking"));
    await mkdir(join(root, "releases", "notes"));
    await writeFile(join(root, "releases", "20260101T000000Z"), "a file");
    await symlink("/", join(root, "releases", "20260101T000001Z"));

    expect(await releases.list()).toHaveLength(1);
  });

  it("switches current from release to release by a relative link", async () => {
    const { releases, root } = await prepare(2);
    const [newer = "", older = ""] = await releases.list();
    expect(await releases.current()).toBeUndefined();

    await releases.switchTo(older);
    await releases.switchTo(newer);

    expect(await readlink(join(root, "current"))).toBe("releases/20261122T000000Z");
    expect(await releases.current()).toEqual({ directory: newer, complete: true });
    expect((await readdir(root)).sort()).toEqual(["current", "releases"]);
  });

  it("reads the absolute link that the original left", async () => {
    const { releases, root } = await prepare(1);
    const [release = ""] = await releases.list();
    await symlink(release, join(root, "current"));

    expect(await releases.current()).toEqual({ directory: release, complete: true });
  });

  it.each([
    ["releases/20200101T000000Z", "a release that is gone"],
    ["..", "somewhere else"],
    ["releases", "the directory of all of them"],
  ])("knows that a link to %s is not to a complete release: %s", async (target) => {
    const { releases, root } = await prepare(1);
    await symlink(target, join(root, "current"));

    expect(await releases.current()).toMatchObject({ complete: false });
  });

  it("refuses to switch to what is no release", async () => {
    const { releases, root } = await prepare(1);

    const result = releases.switchTo(join(root, "releases", "20200101T000000Z"));

    await expect(result).rejects.toMatchObject({ code: "NOT_A_RELEASE" });
  });

  it.each(["directory", "file"])("refuses to replace a current that is a %s", async (kind) => {
    const { releases, root } = await prepare(1);
    const [release = ""] = await releases.list();
    if (kind === "directory") await mkdir(join(root, "current"));
    else await writeFile(join(root, "current"), "mine");

    const result = releases.switchTo(release);

    await expect(result).rejects.toMatchObject({
      code: "CURRENT_IS_NOT_A_LINK",
      hint: expect.stringContaining("out of the way"),
    });
    expect((await lstat(join(root, "current"))).isSymbolicLink()).toBe(false);
  });

  it("prunes the oldest, but never the current one or the protected", async () => {
    const { releases } = await prepare(6);
    const all = await releases.list();
    await releases.switchTo(all[5] ?? "");

    const removed = await releases.prune({ keep: 2, protect: [all[3] ?? ""] });

    expect(removed).toEqual([all[2], all[4]]);
    expect(await releases.list()).toEqual([all[0], all[1], all[3], all[5]]);
  });

  it("keeps seven unless told otherwise", async () => {
    const { releases } = await prepare(9);

    await releases.prune({ protect: [] });

    expect(await releases.list()).toHaveLength(7);
  });

  it("prunes what is read-only, and follows no link out of it", async () => {
    const { releases, root } = await prepare(2);
    const [, older = ""] = await releases.list();
    await mkdir(join(older, "sealed", "deeper"), { recursive: true });
    await writeFile(join(root, "precious"), "kept");
    await symlink(root, join(older, "sealed", "deeper", "out"));
    await chmod(join(older, "sealed", "deeper"), 0o555);
    await chmod(join(older, "sealed"), 0o555);

    await releases.prune({ keep: 1, protect: [] });

    expect(await readdir(join(root, "releases"))).toHaveLength(1);
    expect((await readdir(root)).sort()).toEqual(["precious", "releases"]);
  });

  it("sweeps what killed runs have left, and nothing else", async () => {
    const { releases, root } = await prepare(1);
    await mkdir(join(root, "releases", ".20260101T000000Z.x.unpacking", "half"), {
      recursive: true,
    });
    await symlink("x", join(root, "current.01234567-89ab-cdef-0123-456789abcdef.tmp"));
    await writeFile(join(root, "current.tmp"), "not ours");
    await mkdir(join(root, ".dewy"));

    await releases.sweep();

    expect((await readdir(root)).sort()).toEqual([".dewy", "current.tmp", "releases"]);
    expect(await readdir(join(root, "releases"))).toEqual(["20261121T235959Z"]);
  });
});

describe.skipIf(process.getuid?.() !== 0)("removeTree, as somebody who is not root", () => {
  it("opens up directories that are read-only", async () => {
    const parent = await mkdtemp(join(tmpdir(), "dewy-removal-"));
    onTestFinished(() => removeInPlace(parent));
    await chmod(parent, 0o777);

    await asNobody(async () => {
      await mkdir(join(parent, "tree", "sealed", "deeper"), { recursive: true });
      await writeFile(join(parent, "tree", "sealed", "deeper", "file"), "x");
      await chmod(join(parent, "tree", "sealed", "deeper"), 0o555);
      await chmod(join(parent, "tree", "sealed"), 0o000);
      await removeTree(join(parent, "tree"));
    });

    expect(await readdir(parent)).toEqual([]);
  });
});

async function asNobody(work: () => Promise<void>): Promise<void> {
  process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

async function prepare(count = 0) {
  const root = await mkdtemp(join(tmpdir(), "dewy-releases-"));
  onTestFinished(() => removeInPlace(root));
  const releases = await openReleases(root, new FakeClock(new Date("2026-11-21T23:59:59.900Z")));
  for (let made = 0; made < count; made++) await mkdir(await releases.reserve());
  return { releases, root };
}
