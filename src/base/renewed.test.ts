import { expect, it } from "vitest";
import type { Call } from "./call.ts";
import { FakeClock } from "./clock.fake.ts";
import { type Expiring, openRenewed } from "./renewed.ts";

const start = new Date("2026-01-01T00:00:00Z");
const call: Call = new AbortController();

it("fetches once for all who ask, and again shortly before it expires", async () => {
  const { renewed, clock, answers } = setting();

  const asked = [renewed.current(call), renewed.current(call)];
  answers[0]?.resolve({ value: "first", expiresAt: inMinutes(60) });
  expect(await Promise.all(asked)).toEqual(["first", "first"]);

  await clock.advance(54 * 60_000);
  expect(await renewed.current(call)).toBe("first");
  expect(answers.length).toBe(1);

  await clock.advance(60_000);
  const again = renewed.current(call);
  answers[1]?.resolve({ value: "second", expiresAt: inMinutes(120) });
  expect(await again).toBe("second");
});

it("does not hand out what was refused, unless it is another by now", async () => {
  const { renewed, answers } = setting();
  const first = renewed.current(call);
  answers[0]?.resolve({ value: "first", expiresAt: inMinutes(60) });
  await first;

  renewed.forget("older");
  expect(await renewed.current(call)).toBe("first");
  renewed.forget("first");
  const second = renewed.current(call);
  answers[1]?.resolve({ value: "second", expiresAt: inMinutes(60) });

  expect(await second).toBe("second");
});

it("goes on for the others when the first to ask gives up, and stops when all have", async () => {
  const { renewed, answers } = setting();
  const [first, second, third] = [
    new AbortController(),
    new AbortController(),
    new AbortController(),
  ];

  const asked = [renewed.current(first), renewed.current(second)];
  first.abort(new Error("given up"));
  await expect(asked[0]).rejects.toThrow("given up");
  expect(answers[0]?.signal.aborted).toBe(false);
  second.abort(new Error("given up, too"));
  await expect(asked[1]).rejects.toThrow("given up, too");
  expect(answers[0]?.signal.aborted).toBe(true);

  const next = renewed.current(third);
  answers[1]?.resolve({ value: "fetched anew", expiresAt: inMinutes(60) });
  expect(await next).toBe("fetched anew");
});

it("tries again after a failure", async () => {
  const { renewed, answers } = setting();
  const failed = renewed.current(call);
  answers[0]?.reject(new Error("down"));
  await expect(failed).rejects.toThrow("down");

  const next = renewed.current(call);
  answers[1]?.resolve({ value: "up", expiresAt: inMinutes(60) });
  expect(await next).toBe("up");
});

interface Answer {
  signal: AbortSignal;
  resolve(found: Expiring<string>): void;
  reject(error: Error): void;
}

function setting() {
  const clock = new FakeClock(start);
  const answers: Answer[] = [];
  const fetch = ({ signal }: Call) =>
    new Promise<Expiring<string>>((resolve, reject) => answers.push({ signal, resolve, reject }));
  return { renewed: openRenewed({ fetch, marginMs: 5 * 60_000, clock }), clock, answers };
}

const inMinutes = (minutes: number) => new Date(start.getTime() + minutes * 60_000);
