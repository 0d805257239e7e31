import { appendFile, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { deadLettersIn, requestReplay } from "./dead-letters.ts";
import type { Added } from "./line-writer.ts";
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

it.each([
  ["in memory", ["1", "2", "3"]],
  ["dropped", ["1", "2", "2", "3"]],
] as const)(
  "goes on where the disk was full, after a letter that was %s",
  async (full, expected) => {
    const directory = await temporaryDirectory();
    const letters = deadLettersIn(directory, new FakeClock());
    await appendFile(join(directory, "dead-letters.jsonl"), '{"event":{"id"\n');
    for (const event of ['{"id":"1"}', '{"id":"2"}', '{"id":"3"}']) await letters.add(event, why);
    await requestReplay(directory);
    const given: string[] = [];
    const take = (added: Added) => async (event: string) => {
      given.push((JSON.parse(event) as { id: string }).id);
      return given.length === 2 ? added : "written";
    };
    await expect(letters.replay(take(full))).rejects.toThrow("free some space");
    expect(await readdir(directory)).toEqual(["replaying.jsonl"]);

    expect(await letters.replay(take("written"))).toBe(3);

    expect(given).toEqual(expected);
    expect(await readdir(directory)).toEqual([]);
  },
);

it("keeps the file of a last letter that is in memory, and gives none of it again", async () => {
  const directory = await temporaryDirectory();
  const letters = deadLettersIn(directory, new FakeClock());
  await letters.add('{"id":"1"}', why);
  await requestReplay(directory);
  await expect(letters.replay(async () => "in memory")).rejects.toThrow("free some space");
  expect(await readdir(directory)).toEqual(["replaying.jsonl"]);

  const given = letters.replay(() => Promise.reject(new Error("it is given again")));

  expect(await given).toBe(1);
  await letters.add('{"id":"2"}', why);
  await requestReplay(directory);
  expect(await letters.replay(async () => "written")).toBe(1);
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
    return "written";
  });
  return events;
}
