import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { call } from "../images/pushed-image.fake.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { GarbageError } from "./garbage-error.ts";
import { scrubOnSchedule } from "./scheduled-scrub.ts";
import { readScrubRecord, writeScrubRecord } from "./scrub-record.ts";
import { openScrubs, type ScrubWish } from "./scrubs.ts";

const hourMs = 3_600_000;
const weekly = { enabled: true, interval: 168 * hourMs, setaside: true };

it("scrubs when it never did, and not again before the interval is over", async () => {
  const { look, clock, wishes } = open();

  await look();
  for (let hour = 0; hour < 167; hour++) await pass(hourMs);
  expect(wishes).toEqual([{ setAside: true }]);
  await pass(hourMs);

  expect(wishes).toHaveLength(2);

  async function pass(ms: number): Promise<void> {
    await clock.advance(ms);
    await look();
  }
});

it("relies on what a registry before it has noted", async () => {
  const { storage, look, clock, wishes } = open();
  await writeScrubRecord(storage, new Date(clock.now().getTime() - 167 * hourMs), call);

  await look();
  expect(wishes).toEqual([]);
  await clock.advance(hourMs);
  await look();

  expect(wishes).toHaveLength(1);
});

it("does not wait for a time that a wrong clock has noted", async () => {
  const { storage, look, clock, wishes } = open();
  await writeScrubRecord(storage, new Date(clock.now().getTime() + 8_760 * hourMs), call);

  await look();

  expect(wishes).toHaveLength(1);
});

it("does not rely on a record that nobody can read", async () => {
  const { storage, look, wishes } = open();
  await storage.write("/dewy/scrubbed", Buffer.from("rotten"), call);

  await look();

  expect(wishes).toHaveLength(1);
});

it("asks again soon when another one is at work", async () => {
  let isBusy = true;
  const { look, logger, wishes } = open(() => {
    if (isBusy) throw new GarbageError("BUSY", "a scrub is at work");
  });

  await look();
  expect(logger.messages("info")).toEqual(["scrub left out: another one is at work"]);
  isBusy = false;
  await look();

  expect(wishes).toHaveLength(2);
});

it("notes a scrub that read all, and none that failed", async () => {
  const { storage, clock, logger } = open();
  let isFailing = true;
  const scrubs = openScrubs({
    async scrubber() {
      if (isFailing) throw new Error("the disk failed");
      return { blobs: 1, bytes: 1, rotten: 1 };
    },
    record: (at, each) => writeScrubRecord(storage, at, each),
    ...{ noted() {}, ended() {}, clock, logger },
  });
  onTestFinished(() => scrubs.close());

  await scrubs.run({});
  expect(await readScrubRecord(storage, call)).toBeUndefined();
  isFailing = false;
  await scrubs.run({});

  expect(await readScrubRecord(storage, call)).toEqual(clock.now());
});

/** `run` is what a scrub does, beside being counted. */
function open(run: (wish: ScrubWish) => void = () => {}) {
  const clock = new FakeClock(new Date("2026-11-29T12:00:00Z"));
  const logger = new FakeLogger();
  const storage = openInmemoryStorage(() => clock.now());
  const wishes: ScrubWish[] = [];
  const scrubs = {
    async run(wish: ScrubWish): Promise<void> {
      wishes.push(wish);
      run(wish);
    },
  };
  const work = scrubOnSchedule(weekly, { storage, scrubs, clock, logger });
  return { clock, logger, storage, wishes, look: () => work(call) };
}
