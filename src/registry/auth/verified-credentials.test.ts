import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { VerifiedCredentials } from "./verified-credentials.ts";

const trial = { user: "alice", password: "right", hash: "$2y$…" };

it("checks a right password once, for as long as it is remembered", async () => {
  const { verified, clock, check, count } = stage(true);

  expect(await verified.isRight(trial, check)).toBe(true);
  expect(await verified.isRight(trial, check)).toBe(true);
  expect(count()).toBe(1);
  await clock.advance(300_000);
  await verified.isRight(trial, check);

  expect(count()).toBe(2);
});

it("remembers nothing of a time that is still to come, as the clock was set back", async () => {
  const { verified, clock, check, count } = stage(true);
  await verified.isRight(trial, check);

  await clock.advance(-365 * 86_400_000);
  await verified.isRight(trial, check);
  await verified.isRight(trial, check);

  expect(count()).toBe(2);
});

it.each([
  ["user", { ...trial, user: "bob" }],
  ["password", { ...trial, password: "righ" }],
  ["hash", { ...trial, hash: "$2b$…" }],
  ["border between them", { ...trial, user: "alic", hash: "e$2y$…" }],
])("checks anew for another %s", async (_what, other) => {
  const { verified, check, count } = stage(true);

  await verified.isRight(trial, check);
  await verified.isRight(other, check);

  expect(count()).toBe(2);
});

it("never remembers a wrong one, nor a check that failed", async () => {
  const { verified, check, count } = stage(false);

  expect(await verified.isRight(trial, check)).toBe(false);
  expect(await verified.isRight(trial, check)).toBe(false);
  await expect(verified.isRight(trial, () => Promise.reject(new Error("no")))).rejects.toThrow();

  expect(count()).toBe(2);
  expect(await verified.isRight(trial, async () => true)).toBe(true);
});

it("checks once for all who ask at the same time", async () => {
  const { verified, check, count } = stage(true);

  const answers = await Promise.all([1, 2, 3].map(() => verified.isRight(trial, check)));

  expect([answers, count()]).toEqual([[true, true, true], 1]);
});

function stage(answer: boolean) {
  const clock = new FakeClock();
  let checks = 0;
  const check = async () => {
    checks++;
    return answer;
  };
  return { clock, verified: new VerifiedCredentials(clock), check, count: () => checks };
}
