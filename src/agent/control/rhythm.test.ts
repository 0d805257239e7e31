import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { openRhythm } from "./rhythm.ts";

it("rests for as long as it is told, and says until when", async () => {
  const { clock, rhythm, passes, stop } = running();
  await clock.advance(0);
  expect(passes()).toBe(1);
  expect(rhythm.nextAt).toEqual(new Date(clock.now().getTime() + 10_000));

  await clock.advance(9_999);
  expect(passes()).toBe(1);
  await clock.advance(1);
  expect(passes()).toBe(2);
  stop();
});

it("makes a pass at once for whoever waits, and another for who came during one", async ({
  signal,
}) => {
  const { clock, rhythm, passes, hold, release, stop } = running();
  await clock.advance(0);

  await rhythm.pass({ signal });
  expect(passes()).toBe(2);

  hold();
  const first = rhythm.pass({ signal });
  await clock.advance(0);
  const second = rhythm.pass({ signal });
  release();
  await Promise.all([first, second]);
  expect(passes()).toBe(4);
  stop();
});

it("stops resting, and stops waiting, when it is told to", async () => {
  const { clock, rhythm, ended, hold, stop } = running();
  await clock.advance(0);
  hold();
  const waiting = new AbortController();
  const pass = rhythm.pass(waiting);
  waiting.abort(new Error("enough"));
  await expect(pass).rejects.toThrow("enough");

  stop();
  await expect(ended).rejects.toThrow("over");
});

function running() {
  const clock = new FakeClock();
  const rhythm = openRhythm(clock);
  const over = new AbortController();
  let passes = 0;
  let held: PromiseWithResolvers | undefined;
  const ended = (async () => {
    for (;;) {
      over.signal.throwIfAborted();
      await held?.promise;
      passes++;
      await rhythm.rest(10_000, over);
    }
  })();
  ended.catch(() => {});
  return {
    clock,
    rhythm,
    ended,
    passes: () => passes,
    hold() {
      let resolve = () => {};
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      held = { promise, resolve };
    },
    release() {
      const { resolve } = held ?? {};
      held = undefined;
      resolve?.();
    },
    stop() {
      held?.resolve();
      held = undefined;
      over.abort(new Error("over"));
    },
  };
}

interface PromiseWithResolvers {
  promise: Promise<void>;
  resolve(): void;
}
