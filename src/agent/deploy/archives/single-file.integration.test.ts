import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { unpacked } from "../unpacked.fake.ts";

describe("unpack, of a single file", () => {
  it.each([
    ["myapp", ["myapp"]],
    ["myapp_v1.2.3_linux_amd64", ["myapp", "myapp_v1.2.3_linux_amd64"]],
    ["myapp_v1.2.3_linux_amd64.gz", ["myapp", "myapp_v1.2.3_linux_amd64"]],
  ])("makes %s an executable, also under its plain name", async (name, names) => {
    const { signal } = new AbortController();
    const content = Buffer.from("\x7fELF");

    const bytes = name.endsWith(".gz") ? gzipSync(content) : content;
    const { directory } = await unpacked(name, bytes, signal);

    expect(await readdir(directory)).toEqual(names);
    const file = join(directory, names[0] ?? "");
    expect((await readFile(file)).equals(content)).toBe(true);
    expect((await stat(file)).mode & 0o777).toBe(0o755);
    expect((await lstat(file)).isSymbolicLink()).toBe(names.length > 1);
  });
});
