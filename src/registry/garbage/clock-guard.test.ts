import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { ClockGuard } from "./clock-guard.ts";

const hourMs = 3_600_000;

function guarded({ seenMs = 0 } = {}) {
  const clock = new FakeClock();
  const begunMs = clock.now().getTime();
  const run = { begunMs, cutoffMs: begunMs - hourMs };
  return { clock, guard: new ClockGuard(clock, { run, latestMs: begunMs + seenMs }) };
}

it("lets a clock be corrected by less than the grace", async () => {
  const { clock, guard } = guarded();
  await clock.advance(10 * 60_000);
  guard.check();

  await clock.advance(-20 * 60_000);

  expect(() => guard.check()).not.toThrow();
});

it("sees a clock that was before the cutoff for a while, and no longer is", async () => {
  const { clock, guard } = guarded();
  await clock.advance(5 * 60_000);
  guard.check();

  await clock.advance(-75 * 60_000);
  await clock.advance(15 * 60_000);

  expect(() => guard.check()).toThrow(expect.objectContaining({ code: "CLOCK_SET_BACK" }));
});

it("goes on with what a collection had seen before it was interrupted", () => {
  const { guard } = guarded({ seenMs: 2 * hourMs });

  expect(() => guard.check()).toThrow(expect.objectContaining({ code: "CLOCK_SET_BACK" }));
  expect(guard.latestMs).toBe(new FakeClock().now().getTime() + 2 * hourMs);
});
