import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { OciError } from "../../oci/error.ts";
import { TagMemory } from "./tag-memory.ts";
import { UpstreamGate } from "./upstream-gate.ts";

const yearMs = 365 * 86_400_000;
const { signal } = new AbortController();

it("asks for a tag again that was asked for at a time still to come", async () => {
  const clock = new FakeClock();
  const tags = new TagMemory(60_000, clock);
  tags.keep("app:v1", undefined);
  expect(tags.fresh("app:v1")).toBeDefined();

  await clock.advance(-yearMs);

  expect(tags.fresh("app:v1")).toBeUndefined();
});

it("leaves a registry alone for no longer than it may, when the clock is set back", async () => {
  const clock = new FakeClock();
  const gate = new UpstreamGate({ name: "it", clock, logger: new FakeLogger() });
  const limited = () => Promise.reject(new OciError("TOOMANYREQUESTS", "too many"));
  await expect(gate.through({ signal }, limited)).rejects.toThrow("asks to be left alone");
  await expect(gate.through({ signal }, async () => "answer")).rejects.toThrow("left alone");

  await clock.advance(-yearMs);

  expect(await gate.through({ signal }, async () => "answer")).toBe("answer");
  await expect(gate.through({ signal }, limited)).rejects.toMatchObject({ retryAfterMs: 60_000 });
});
