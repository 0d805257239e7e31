import { expect, it } from "vitest";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { call } from "../images/pushed-image.fake.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { Marks } from "./marks.ts";

const digests = Array.from({ length: 5_000 }, (_, index) => digestOf(`blob ${index}`));
const zero = `sha256:${"0".repeat(64)}` as Digest;

it("finds every mark again, also after a restart, and no other", async () => {
  const storage = openInmemoryStorage(() => new Date());
  const first = new Marks(storage, "/marks", 0);
  for (const digest of [zero, ...digests.slice(0, 2_000)]) await first.add(digest, call);
  const segments = await first.save(call);
  const second = new Marks(storage, "/marks", segments);
  for (const digest of digests.slice(1_000, 3_000)) await second.add(digest, call);
  expect(await second.save(call)).toBe(2);

  const isMarked = await Promise.all(
    digests.map(async (digest) => (await second.read(digest.slice(7, 9), call)).has(digest)),
  );

  expect(isMarked.lastIndexOf(true)).toBe(2_999);
  expect(isMarked.indexOf(false)).toBe(3_000);
  expect((await second.read("00", call)).has(zero)).toBe(true);
});

it("keeps marks in eight bytes, however often they are made", async () => {
  const storage = openInmemoryStorage(() => new Date());
  const marks = new Marks(storage, "/marks", 0);
  for (const digest of [...digests, ...digests]) await marks.add(digest, call);

  await marks.save(call);

  expect((await storage.stat("/marks/segment-0", call))?.size).toBe(4 * 257 + 8 * digests.length);
});

it.each([
  ["zeros, as a power failure leaves them", Buffer.alloc(4 * 257 + 8 * digests.length)],
  ["nothing", Buffer.alloc(0)],
  ["no file", undefined],
])("refuses to sweep by marks that have become %s", async (_name, bytes) => {
  const storage = openInmemoryStorage(() => new Date());
  const marks = new Marks(storage, "/marks", 0);
  for (const digest of digests) await marks.add(digest, call);
  await marks.save(call);
  await storage.delete("/marks/segment-0", call);
  if (bytes) await storage.write("/marks/segment-0", bytes, call);

  await expect(marks.read("ab", call)).rejects.toMatchObject({ code: "MARKS_LOST" });
});
