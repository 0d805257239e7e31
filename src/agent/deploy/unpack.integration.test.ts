import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type FakeTarEntry, paxEntry, tarOf } from "./archives/tar.fake.ts";
import { type ArchiveLimits, archiveLimits, unpack } from "./unpack.ts";
import { refused, temporaryDirectory, unpacked } from "./unpacked.fake.ts";

describe("unpack", () => {
  it("keeps files, modes, times, links and empty directories of a tar.gz", async ({ signal }) => {
    const tar = tarOf(
      { name: "./", type: "5", mode: 0o700 },
      { name: "./bin/app", body: "#!", mode: 0o4755 },
      { name: "./bin/tool", type: "1", link: "bin/app" },
      { name: "./node_modules/.bin/x", type: "2", link: "../x/cli.js" },
      { name: "./var/empty/", type: "5", mode: 0o1777, mtime: 1_600_000_000 },
    );

    const { directory } = await unpacked("app.tar.gz", gzipSync(tar), signal);

    expect(await readFile(join(directory, "bin/app"), "utf8")).toBe("#!");
    const app = await stat(join(directory, "bin/app"));
    expect([app.mode & 0o7777, app.mtimeMs]).toEqual([0o755, 1_700_000_000_000]);
    expect((await stat(join(directory, "bin/tool"))).ino).toBe(app.ino);
    expect(await readlink(join(directory, "node_modules/.bin/x"))).toBe("../x/cli.js");
    const empty = await stat(join(directory, "var/empty"));
    expect([empty.mode & 0o7777, empty.mtimeMs]).toEqual([0o777, 1_600_000_000_000]);
    expect((await stat(directory)).mode & 0o777).toBe(0o755);
  });

  it("fills directories that are read-only", async ({ signal }) => {
    const tar = tarOf(
      { name: "sealed/", type: "5", mode: 0o555 },
      { name: "sealed/file", body: "in" },
    );

    const { directory } = await unpacked("a.tar", tar, signal);

    expect(await readFile(join(directory, "sealed/file"), "utf8")).toBe("in");
    expect((await stat(join(directory, "sealed"))).mode & 0o777).toBe(0o555);
  });

  it.each(["1e300", "9999999999999", "-1e9", "soon"])("survives a time of %s", async (mtime) => {
    const { signal } = new AbortController();
    const times = () => paxEntry("mtime", mtime);
    const tar = tarOf(times(), { name: "f" }, times(), { name: "d/", type: "5" }, times(), {
      name: "l",
      type: "2",
      link: "f",
    });

    const { directory } = await unpacked("a.tar", tar, signal);

    expect(await readdir(directory)).toEqual(["d", "f", "l"]);
  });

  it("takes names and targets too long for a header from pax and GNU records", async ({
    signal,
  }) => {
    const long = `${"d".repeat(90)}/${"e".repeat(90)}/f`;
    const tar = tarOf(
      paxEntry("path", long),
      { name: "short", body: "pax" },
      { name: "././@LongLink", type: "L", body: `${long}2\0` },
      { name: "short", body: "gnu" },
      { name: "././@LongLink", type: "K", body: `${long}\0` },
      { name: "link", type: "2", link: "short" },
    );

    const { directory } = await unpacked("a.tar", tar, signal);

    expect(await readFile(join(directory, long), "utf8")).toBe("pax");
    expect(await readFile(join(directory, `${long}2`), "utf8")).toBe("gnu");
    expect(await readFile(join(directory, "link"), "utf8")).toBe("pax");
  });

  it("lets the last entry of a name win, and writes through no link", async ({ signal }) => {
    const tar = tarOf(
      { name: "victim", body: "safe" },
      { name: "symbolic", type: "2", link: "victim" },
      { name: "hard", type: "1", link: "victim" },
      { name: "symbolic", body: "new" },
      { name: "hard", body: "new" },
      { name: "emptied/", type: "5" },
      { name: "emptied", body: "now a file" },
    );

    const { directory } = await unpacked("a.tar", tar, signal);

    const read = (name: string) => readFile(join(directory, name), "utf8");
    expect(await read("victim")).toBe("safe");
    expect(await read("symbolic")).toBe("new");
    expect(await read("hard")).toBe("new");
    expect(await read("emptied")).toBe("now a file");
  });

  it.each<[string, FakeTarEntry[], string]>([
    ["an absolute name", [{ name: "/etc/evil" }], '"/etc/evil"'],
    ["a name that climbs", [{ name: "../../etc/evil.txt" }], '"../../etc/evil.txt"'],
    ["a name that climbs from within", [{ name: "a/../../evil" }], '"a/../../evil"'],
    ["a pax name that climbs", [paxEntry("path", "../evil"), { name: "x" }], '"../evil"'],
    [
      "a global pax name that climbs",
      [{ ...paxEntry("path", "../evil"), type: "g" }, { name: "x" }],
      '"../evil"',
    ],
    ["no name", [{ name: "" }], '""'],
    ["a file in place of the directory", [{ name: "./", type: "2", link: "x" }], '"./"'],
    ["an absolute link", [{ name: "l", type: "2", link: "/etc" }], '"l"'],
    ["a link that climbs out", [{ name: "a/l", type: "2", link: "../../x" }], '"a/l"'],
    ["a link that climbs after it went down", [{ name: "l", type: "2", link: "a/../.." }], '"l"'],
    ["a link to nothing", [{ name: "l", type: "2", link: "" }], '"l"'],
    ["a name through a link", [{ name: "l", type: "2", link: "." }, { name: "l/x" }], '"l/x"'],
    ["a name through a file", [{ name: "f" }, { name: "f/x" }], '"f/x"'],
    [
      "two links that only together climb out",
      [
        { name: "a/b/up", type: "2", link: "../.." },
        { name: "out", type: "2", link: "a/b/up/../x" },
      ],
      '"out"',
    ],
    ["a hard link to the outside", [{ name: "h", type: "1", link: "../x" }], '"../x"'],
    ["an absolute hard link", [{ name: "h", type: "1", link: "/etc/passwd" }], '"/etc/passwd"'],
    [
      "a hard link through a link",
      [{ name: "a/f" }, { name: "l", type: "2", link: "a" }, { name: "h", type: "1", link: "l/f" }],
      '"h"',
    ],
    [
      "a hard link to what is not there yet",
      [{ name: "h", type: "1", link: "f" }, { name: "f" }],
      '"h"',
    ],
    [
      "a hard link that moves a symbolic one up",
      [
        { name: "a/b/l", type: "2", link: "../.." },
        { name: "h", type: "1", link: "a/b/l" },
      ],
      '"h"',
    ],
    ["a device", [{ name: "d", type: "3" }], '"d"'],
    ["a block device", [{ name: "d", type: "4" }], '"d"'],
    ["a FIFO", [{ name: "p", type: "6" }], '"p"'],
    ["a GNU sparse file", [{ name: "s", type: "S", body: "x" }], '"s": a sparse file'],
    ["a pax sparse file", [paxEntry("GNU.sparse.major", "1"), { name: "s" }], '"s": a sparse file'],
    ["an entry of a type nobody knows", [{ name: "v", type: "V" }], '"v"'],
    ["a directory that is not empty replaced", [{ name: "d/f" }, { name: "d" }], '"d"'],
    ["a zero byte in a name", [paxEntry("path", "a\0b"), { name: "x" }], "zero byte"],
  ])("refuses %s, by its name, and leaves nothing", async (_what, entries, message) => {
    const { signal } = new AbortController();

    const { error, left } = await refused("a.tar", tarOf({ name: "first" }, ...entries), signal);

    expect(error).toMatchObject({ code: "REFUSED" });
    expect(String(error)).toContain("a.tar: entry ");
    expect(String(error)).toContain(message);
    expect(left).toEqual([]);
  });

  const small = tarOf({ name: "a", body: randomBytes(4000) }, { name: "b", body: "b" });

  it.each<[string, string, Buffer]>([
    ["empty", "a.tar.gz", Buffer.alloc(0)],
    ["garbage", "a.tar.gz", Buffer.alloc(2000, "garbage")],
    ["another format than its name says", "a.tar.gz", small],
    ["a web page", "a.zip", Buffer.from("<!DOCTYPE html><title>Sign in")],
    ["a gzip cut short", "a.tgz", gzipSync(small).subarray(0, -9)],
    ["a gzip of a tar cut in a file", "a.tgz", gzipSync(small.subarray(0, 2000))],
    ["a tar cut between entries", "a.tar", small.subarray(0, 512 + 4096)],
    ["a tar cut in a header", "a.tar", small.subarray(0, 512 + 4096 + 100)],
    ["a tar without entries", "a.tar", Buffer.alloc(1024)],
    ["a tar with a damaged header", "a.tar", damaged(small, 10)],
    ["a tar with something after its end", "a.tar", Buffer.concat([small, Buffer.from("more")])],
    [
      "a tar whose file claims more than there is",
      "a.tar",
      tarOf({ name: "f", body: "x", size: 9999 }),
    ],
    ["gzipped garbage", "a.tar.gz", gzipSync(Buffer.alloc(4096, "garbage"))],
  ])("says what is wrong with an archive that is %s", async (_what, name, bytes) => {
    const { signal } = new AbortController();

    const { error, left } = await refused(name, bytes, signal);

    expect(error).toMatchObject({ code: "DAMAGED" });
    expect(String(error)).toMatch(new RegExp(`${name}: its? `));
    expect(left).toEqual([]);
  });

  it.each<[string, Partial<ArchiveLimits>, Buffer]>([
    [
      "more bytes",
      { expandedBytes: 10_000 },
      gzipSync(tarOf({ name: "f", body: Buffer.alloc(20_000) })),
    ],
    [
      "a bomb's ratio",
      { ratio: 50, ratioFreeBytes: 10_000 },
      gzipSync(tarOf({ name: "f", body: Buffer.alloc(1_000_000) })),
    ],
    ["more entries", { entries: 2 }, gzipSync(tarOf({ name: "1" }, { name: "2" }, { name: "3" }))],
  ])("stops at %s than allowed", async (_what, limits, bytes) => {
    const { signal } = new AbortController();

    const { error, left } = await refused("a.tar.gz", bytes, signal, limits);

    expect(error).toMatchObject({ code: "TOO_LARGE" });
    expect(left).toEqual([]);
  });

  it("stops when it is told to, with the caller's reason, and leaves nothing", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));

    const { error, left } = await refused("a.tar", small, stop.signal);

    expect(String(error)).toBe("Error: stopped");
    expect(left).toEqual([]);
  });

  it("says so when the system will not let it write", async ({ signal }) => {
    const parent = await temporaryDirectory();
    await writeFile(join(parent, "a.tar"), small);
    const directory = join(parent, "missing", "release");

    const result = unpack(join(parent, "a.tar"), "a.tar", directory, archiveLimits, { signal });

    await expect(result).rejects.toMatchObject({
      code: "UNWRITABLE",
      message: expect.stringContaining("a.tar: it could not be unpacked in"),
    });
  });

  it("touches nothing when the directory is there already", async ({ signal }) => {
    const parent = await temporaryDirectory();
    await writeFile(join(parent, "a.tar"), small);

    const result = unpack(join(parent, "a.tar"), "a.tar", parent, archiveLimits, { signal });

    await expect(result).rejects.toMatchObject({ code: "EXISTS" });
    expect(await readdir(parent)).toEqual(["a.tar"]);
  });
});

describe("unpack, of what tar(1) packed", () => {
  const source = mkdtempSync(join(tmpdir(), "dewy-source-"));
  mkdirSync(join(source, "deep", "er"), { recursive: true });
  writeFileSync(join(source, "deep", "er", "file"), "content");

  it("reads the default format, as GNU and as pax", async ({ signal }) => {
    for (const format of ["gnu", "pax", "ustar"]) {
      const tar = execFileSync("tar", ["-c", `--format=${format}`, "-C", source, "."]);
      const { directory } = await unpacked("a.tar", tar, signal);
      expect(await readFile(join(directory, "deep/er/file"), "utf8")).toBe("content");
    }
    await rm(source, { recursive: true });
  });
});

function damaged(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = 1 + (copy[at] ?? 0);
  return copy;
}
