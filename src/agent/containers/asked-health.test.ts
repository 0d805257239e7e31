import { expect, it, vi } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { type AskedHealthParts, askedHealth } from "./asked-health.ts";
import type { Container } from "./runtime.ts";

it("hears of a check that ends a while after the engine has told of it", async ({ signal }) => {
  const { pass, told, says, ask } = prepare(signal);
  says.push("healthy", "unhealthy", "unhealthy");

  const asked = ask("1");
  await pass(1_000);
  await pass(4_000);
  await asked;

  expect(told).toEqual([true, false, false]);
});

it("heeds what the newest check has come to, and no answer of an older one", async ({ signal }) => {
  const { pass, told, says, held, ask } = prepare(signal);
  says.push("unhealthy", "healthy", "healthy", "healthy");
  let answer = () => {};
  held.push(
    new Promise((resolve) => {
      answer = resolve;
    }),
  );

  const first = ask("1");
  const second = ask("1");
  await vi.waitFor(() => expect(told).toEqual([true]));
  answer();
  await first;
  await pass(1_000);
  await pass(4_000);
  await second;

  expect(told).toEqual([true, true, true]);
});

it("asks nothing of one that is watched no more", async ({ signal }) => {
  const { told, says, ask } = prepare(signal);

  await ask("2");

  expect([told, says]).toEqual([[], []]);
});

function prepare(signal: AbortSignal) {
  const clock = new FakeClock();
  const told: boolean[] = [];
  const says: Container["health"][] = [];
  const held: Promise<void>[] = [];
  const parts = {
    clock,
    runtime: {
      async inspect() {
        const health = says.shift();
        await held.shift();
        return { id: "1", health };
      },
    },
    watch: { ids: new Set(["1"]), told: (_id: string, isWell: boolean) => void told.push(isWell) },
  } as unknown as AskedHealthParts;
  const pass = async (ms: number) => {
    await vi.waitFor(() => expect(clock.sleeping).toBe(1));
    await clock.advance(ms);
  };
  return { pass, told, says, held, ask: askedHealth(parts, { signal }) };
}
