import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refused, unpacked } from "../unpacked.fake.ts";
import { type FakeZipEntry, zipOf } from "./zip.fake.ts";

describe("unpack, of a zip", () => {
  it("keeps files, modes, directories and links", async ({ signal }) => {
    const zip = zipOf(
      { name: "bin/", mode: 0o40755 },
      { name: "bin/app", body: "#!".repeat(500), mode: 0o104755, deflate: true },
      { name: "link", body: "bin/app", mode: 0o120777 },
      { name: "windows\\made.txt", body: "w", mode: 0, flags: 0 },
    );

    const { directory } = await unpacked("a.zip", zip, signal);

    expect((await stat(join(directory, "bin/app"))).mode & 0o7777).toBe(0o755);
    expect(await readFile(join(directory, "link"), "utf8")).toBe("#!".repeat(500));
    expect(await readFile(join(directory, "windows/made.txt"), "utf8")).toBe("w");
    expect((await stat(join(directory, "windows/made.txt"))).mode & 0o777).toBe(0o644);
  });

  it.each<[string, FakeZipEntry[], string]>([
    ["a name that climbs", [{ name: "../evil" }], "REFUSED"],
    ["a name that climbs by backslashes", [{ name: "..\\..\\evil" }], "REFUSED"],
    ["an absolute name", [{ name: "/etc/evil" }], "REFUSED"],
    ["a drive", [{ name: "C:\\evil" }], "REFUSED"],
    ["a link that climbs out", [{ name: "l", body: "../x", mode: 0o120777 }], "REFUSED"],
    [
      "a name through a link",
      [{ name: "l", body: ".", mode: 0o120777 }, { name: "l/x" }],
      "REFUSED",
    ],
    ["a FIFO", [{ name: "p", mode: 0o010644 }], "REFUSED"],
    ["a device", [{ name: "d", mode: 0o020644 }], "REFUSED"],
    [
      "an encrypted entry",
      [{ name: "e", body: Buffer.alloc(20), size: 8, flags: 0x801 }],
      "REFUSED",
    ],
    ["a method nobody knows", [{ name: "m", body: "x", method: 93 }], "REFUSED"],
    ["a wrong checksum", [{ name: "c", body: "abc", crc: 1 }], "DAMAGED"],
    [
      "more bytes than announced",
      [{ name: "b", body: "a".repeat(900), deflate: true, size: 9 }],
      "DAMAGED",
    ],
    [
      "a stream that is no deflate",
      [{ name: "b", body: Buffer.alloc(90, 0xff), method: 8 }],
      "DAMAGED",
    ],
    ["no entries", [], "DAMAGED"],
  ])("refuses %s", async (_what, entries, code) => {
    const { signal } = new AbortController();

    const { error, left } = await refused("a.zip", zipOf(...entries), signal);

    expect(error).toMatchObject({ code });
    expect(String(error)).toContain("a.zip: ");
    expect(left).toEqual([]);
  });

  it("names one that was cut short", async ({ signal }) => {
    const zip = zipOf({ name: "a", body: randomBytes(3000) });

    const { error } = await refused("a.zip", zip.subarray(0, -30), signal);

    expect(error).toMatchObject({ code: "DAMAGED" });
  });

  it("stops a bomb by what comes out, not by what it announces", async ({ signal }) => {
    const zip = zipOf({ name: "b", body: Buffer.alloc(1_000_000), deflate: true });

    const { error } = await refused("a.zip", zip, signal, { expandedBytes: 5_000 });

    expect(error).toMatchObject({ code: "TOO_LARGE" });
  });
});
