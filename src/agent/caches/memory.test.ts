import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { cacheContract } from "../cache.contract.ts";
import { openMemoryCache } from "./memory.ts";

cacheContract("memory", async () => {
  const cache = openMemoryCache({ clock: new FakeClock() });
  return async () => cache;
});

it("forgets the least lately written of very many", async ({ signal }) => {
  const cache = openMemoryCache({ clock: new FakeClock() });
  for (let index = 0; index < 300; index++) {
    await cache.write(`k${index}`, Buffer.from("x"), { ifVersion: "absent" }, { signal });
  }

  expect(await cache.read("k0", { signal })).toBeUndefined();
  expect(await cache.read("k299", { signal })).toBeDefined();
});

it("tells ages by its clock", async ({ signal }) => {
  const clock = new FakeClock();
  const cache = openMemoryCache({ clock });
  await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });

  await clock.advance(1_500);

  expect((await cache.read("k", { signal }))?.ageMs).toBe(1_500);
});
