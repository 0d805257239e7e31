import { appendFile, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { deadLettersIn, requestReplay } from "./dead-letters.ts";
import { temporaryDirectory } from "./temporary-directory.fake.ts";

const why = { reason: "it answered 400", attempts: 10 };

it("gives every event once, in order, when it is asked to", async () => {
  const directory = await temporaryDirectory();
  const letters = deadLettersIn(directory, new FakeClock());
  await letters.add('{"id":"1"}', why);
  await letters.add('{"id":"2"}', why);
  expect(await replayed(directory)).toEqual([]);

  expect(await requestReplay(directory)).toBe(true);

  expect(await replayed(directory)).toEqual(['{"id":"1"}', '{"id":"2"}']);
  expect(await replayed(directory)).toEqual([]);
  expect(await requestReplay(directory)).toBe(false);
  expect(await readdir(directory)).toEqual([]);
});

it("passes over a line that was cut", async () => {
  const directory = await temporaryDirectory();
  await appendFile(join(directory, "dead-letters.jsonl"), '{"event":{"id"\n{"at":1}\n');
  await deadLettersIn(directory, new FakeClock()).add('{"id":"1"}', why);

  await requestReplay(directory);

  expect(await replayed(directory)).toEqual(['{"id":"1"}']);
});

it("gives them again after a crash in the middle", async () => {
  const directory = await temporaryDirectory();
  const letters = deadLettersIn(directory, new FakeClock());
  await letters.add('{"id":"1"}', why);
  await requestReplay(directory);
  const killed = letters.replay(async () => {
    throw new Error("killed");
  });
  await expect(killed).rejects.toThrow("killed");

  expect(await replayed(directory)).toEqual(['{"id":"1"}']);
});

it("takes a file that somebody has put there", async () => {
  const directory = await temporaryDirectory();
  await deadLettersIn(directory, new FakeClock()).add('{"id":"1"}', why);
  await rename(join(directory, "dead-letters.jsonl"), join(directory, "replay.jsonl"));

  expect(await replayed(directory)).toEqual(['{"id":"1"}']);
});

it("keeps two full files of them at the most", async () => {
  const directory = await temporaryDirectory();
  const letters = deadLettersIn(directory, new FakeClock());
  for (let id = 0; id < 10; id++) {
    await letters.add(JSON.stringify({ id, padding: "x".repeat(5 * 1024 * 1024) }), why);
  }

  expect((await readdir(directory)).sort()).toEqual(["dead-letters.1.jsonl", "dead-letters.jsonl"]);
  await requestReplay(directory);
  const ids = (await replayed(directory)).map((event) => (JSON.parse(event) as { id: number }).id);
  expect(ids).toEqual([4, 5, 6, 7, 8, 9]);
});

async function replayed(directory: string): Promise<string[]> {
  const events: string[] = [];
  await deadLettersIn(directory, new FakeClock()).replay(async (event) => {
    events.push(event);
  });
  return events;
}
