import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Call, withTimeout } from "./call.ts";

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

const forever = ({ signal }: Call) => sleep(60_000, undefined, { signal });
