import { describe, expect, it } from "vitest";
import { FakeClock } from "./clock.fake.ts";
import { settlesWithin } from "./clock.ts";

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
