import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { rememberedFor } from "./remembered.ts";

it("asks once in a while, however many want to know at the same time", async () => {
  const { found, clock, asked } = stage();

  await Promise.all([found.find("alice"), found.find("alice")]);
  expect(await found.find("alice")).toBe("ALICE");
  await clock.advance(60_000);
  await found.find("alice");

  expect(asked).toEqual(["alice", "alice"]);
});

it("remembers nothing of a time that is still to come, as the clock was set back", async () => {
  const { found, clock, asked } = stage();
  await found.find("alice");

  await clock.advance(-365 * 86_400_000);
  await found.find("alice");
  await found.find("alice");

  expect(asked).toEqual(["alice", "alice"]);
});

it("remembers neither that there was nothing nor that it failed", async () => {
  const { found, asked } = stage();

  expect(await found.find("")).toBeUndefined();
  expect(await found.find("")).toBeUndefined();
  await expect(found.find("fail")).rejects.toThrow("down");
  await expect(found.find("fail")).rejects.toThrow("down");

  expect(asked).toEqual(["", "", "fail", "fail"]);
});

function stage() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const find = async (name: string) => {
    asked.push(name);
    if (name === "fail") throw new Error("down");
    return name === "" ? undefined : name.toUpperCase();
  };
  return { clock, asked, found: rememberedFor(60_000, find, clock) };
}
