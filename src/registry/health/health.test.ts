import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { startHealth } from "./health.ts";

it.each([
  [0, [true, false, false, false]],
  [1, [true, false, false, false]],
  [3, [true, true, true, false]],
])("with a threshold of %i is well, after each of the checks: %j", async (threshold, expected) => {
  const { health, clock, set } = started(threshold);
  const seen: boolean[] = [];

  for (const _ of expected) {
    await clock.advance(10_000);
    seen.push(health.isWell);
    set("it is down");
  }

  expect(seen).toEqual(expected);
  await health.close();
});

it("says why, under the name of the check, and is well again at the first success", async () => {
  const { health, clock, set, logger } = started(2);
  set("it is down");
  await clock.advance(10_000);
  await clock.advance(10_000);
  await clock.advance(10_000);
  expect(health.failures()).toEqual({ disk: "it is down" });

  set(undefined);
  await clock.advance(10_000);

  expect(health.failures()).toEqual({});
  expect(logger.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "error a health check fails",
    "info a health check is well again",
  ]);
  await health.close();
});

it("counts failures in a row only", async () => {
  const { health, clock, set } = started(2);
  for (const reason of ["down", undefined, "down", undefined, "down"]) {
    set(reason);
    await clock.advance(10_000);
    expect(health.isWell).toBe(true);
  }
  await health.close();
});

function started(threshold: number) {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  let reason: string | undefined;
  const check = {
    ...{ name: "disk", intervalMs: 10_000, threshold },
    run: async () => {
      if (reason !== undefined) throw new Error(reason);
    },
  };
  const health = startHealth([check], { clock, logger });
  const set = (now: string | undefined) => {
    reason = now;
  };
  return { health, clock, logger, set };
}
