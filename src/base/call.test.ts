import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Call, withGrace, withTimeout } from "./call.ts";

describe("withTimeout", () => {
  it("names what took too long", async () => {
    const result = withTimeout("asking", 10, new AbortController(), forever);

    await expect(result).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "asking took longer than 0.01 s",
    });
  });

  it("ends with the reason of the outer call", async () => {
    const stop = new AbortController();
    const reason = new Error("told to stop");
    const result = withTimeout("asking", 10_000, stop, async ({ signal }) => {
      stop.abort(reason);
      signal.throwIfAborted();
    });

    await expect(result).rejects.toBe(reason);
  });

  it("gives work that begins too late a call that has ended", async () => {
    const reason = new Error("told to stop");
    const call = { signal: AbortSignal.abort(reason) };

    const seen = await withTimeout("asking", 10_000, call, async ({ signal }) => signal.reason);

    expect(seen).toBe(reason);
  });

  it("leaves nothing on the outer call", async () => {
    const { signal } = new AbortController();

    await withTimeout("asking", 10_000, { signal }, async () => {});

    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("withGrace", () => {
  it("lets work go on for a while when the outer call ends, and no longer", async () => {
    const stop = new AbortController();
    const began = performance.now();

    const result = withGrace("the hook", 50, stop, async (call) => {
      stop.abort();
      expect(call.signal.aborted).toBe(false);
      await forever(call);
    });

    await expect(result).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "the hook was not over 0.05 s after dewy was told to end",
    });
    expect(performance.now() - began).toBeGreaterThan(40);
  });

  it("leaves nothing on the outer call", async () => {
    const stop = new AbortController();

    expect(await withGrace("the hook", 50, stop, async () => "done")).toBe("done");

    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });
});

const forever = ({ signal }: Call) => sleep(60_000, undefined, { signal });
