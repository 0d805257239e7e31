import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Probe } from "./health-probes.ts";
import { answerWithinMs, untilReady, watchOver } from "./probe.ts";
import { ProbeError } from "./probe-error.ts";

const target = { tag: "v1.0.0" };

describe("how long an answer may take in a bake", () => {
  it.each([
    [30_000, 0, 5_000],
    [30_000, 6_000, 5_000],
    [8_000, 6_000, 2_000],
    [8_000, 7_900, 1_000],
    [8_000, 60_000, 1_000],
    [500, 1_000, 500],
  ])(
    "is, with a timeout of %i ms and %i ms after the last good one, %i ms",
    (timeoutMs, since, within) => {
      expect(answerWithinMs(timeoutMs, since)).toBe(within);
    },
  );

  it.each([1, 2, 3, 5, 7, 8, 12, 30, 60])(
    "finds out within a second of a timeout of %i s whatever hangs from any moment on",
    (seconds) => {
      const timeoutMs = seconds * 1_000;
      let sinceGoodMs = Math.min(1_000, timeoutMs);
      for (let failures = 0; ; ) {
        sinceGoodMs += answerWithinMs(timeoutMs, sinceGoodMs);
        failures++;
        if (failures > 2 || sinceGoodMs >= timeoutMs) break;
        sinceGoodMs += Math.max(0, Math.min(1_000, timeoutMs - sinceGoodMs));
      }
      expect(sinceGoodMs).toBeLessThanOrEqual(timeoutMs + 1_000);
    },
  );
});

describe("a release that bakes", () => {
  it("has failed with the third bad answer in a row, and not before", async ({ signal }) => {
    const answers = [true, false, false, true, false, false, false, true];
    let asked = 0;
    const probe = async () => {
      if (!answers[asked++]) throw new ProbeError("WRONG_ANSWER", "GET / answered 500");
    };

    const watched = watchOver(probe, target, { bakeMs: 60_000, timeoutMs: 60_000 }, { signal });

    await expect(watched).rejects.toMatchObject({
      code: "UNHEALTHY",
      message: expect.stringMatching(/^it failed [\d.]+ s after .*: GET \/ answered 500$/),
    });
    expect(asked).toBe(7);
  }, 30_000);

  it("has failed, when it hangs, as soon as nothing good has come for the timeout", async ({
    signal,
  }) => {
    let asked = 0;
    const probe: Probe = async (_, call) => {
      if (asked++ > 0) await sleep(60_000, undefined, call);
    };

    const watched = watchOver(probe, target, { bakeMs: 60_000, timeoutMs: 2_000 }, { signal });

    await expect(watched).rejects.toMatchObject({ code: "UNHEALTHY" });
    expect(asked).toBeLessThanOrEqual(3);
  }, 30_000);

  it("has not failed by a pause of the process that asks", async ({ signal }) => {
    let asked = 0;
    const probe: Probe = async (_, call) => {
      if (asked++ > 0) return;
      pauseFor(2_500);
      await sleep(60_000, undefined, call);
    };

    await watchOver(probe, target, { bakeMs: 1, timeoutMs: 500 }, { signal });

    expect(asked).toBe(2);
  });

  it("has failed on a host that pauses all the time, once it was heard for the timeout", async ({
    signal,
  }) => {
    const probe = async () => {
      pauseFor(1_300);
      throw new ProbeError("WRONG_ANSWER", "GET / answered 500");
    };

    const watched = watchOver(probe, target, { bakeMs: 1, timeoutMs: 500 }, { signal });

    await expect(watched).rejects.toMatchObject({ code: "UNHEALTHY" });
  }, 30_000);
});

/** As a SIGSTOP does, or a host that is suspended. */
function pauseFor(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

it("a release that never answers is told of with what its last answer was", async ({ signal }) => {
  const probe = async () => {
    throw new ProbeError("WRONG_ANSWER", "GET / answered 500");
  };

  const ready = untilReady(probe, target, 300, { signal });

  await expect(ready).rejects.toMatchObject({
    code: "NOT_READY",
    message: "it was not ready within 0.3 s: GET / answered 500",
  });
});
