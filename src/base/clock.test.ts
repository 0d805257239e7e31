import { describe, expect, it } from "vitest";
import { FakeClock } from "./clock.fake.ts";
import { settlesWithin, systemClock } from "./clock.ts";

describe("settlesWithin", () => {
  it.each([
    ["resolved", () => Promise.resolve()],
    ["rejected", () => Promise.reject(new Error("broken"))],
  ])("is true for what has %s, and leaves no timer", async (_name, begin) => {
    const clock = new FakeClock();

    expect(await settlesWithin(begin(), 1_000, clock)).toBe(true);
    expect(clock.sleeping).toBe(0);
  });

  it("is false once the time is over", async () => {
    const clock = new FakeClock();
    const settled = settlesWithin(new Promise(() => {}), 1_000, clock);

    await clock.advance(1_000);

    expect(await settled).toBe(false);
  });
});

it("sleeps for longer than a timer can hold", async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(30 * 86_400_000, stop);

  expect(await settlesWithin(slept, 50, systemClock)).toBe(false);

  stop.abort();
  await expect(slept).rejects.toMatchObject({ name: "AbortError" });
});
