import { stat } from "node:fs/promises";
import { expect, it } from "vitest";
import { isExt2, keepsWhatLeadsTo } from "./file-system.ts";

const mounts = [
  "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
  "23 22 7:300 / /old rw - ext2 /dev/loop0 rw",
].join("\n");

it.each([
  ["ext4", 0xfe01, false],
  ["ext2", (7 << 8) | (300 & 0xff) | ((300 & ~0xff) << 12), true],
  ["what is not mounted", 0x1234, true],
])("tells %s by its device", (_name, device, expected) => {
  expect(isExt2(mounts, device)).toBe(expected);
});

it("trusts no file system that it does not know", async () => {
  expect(await keepsWhatLeadsTo("/proc/self")).toBe(false);
  expect(await keepsWhatLeadsTo("/absent")).toBe(false);
});

it.runIf(await isThere("/dev/shm"))("knows the one in memory", async () => {
  expect(await keepsWhatLeadsTo("/dev/shm")).toBe(true);
});

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => process.platform === "linux",
    () => false,
  );
}
