import { appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { type EventQueue, openEventQueue } from "./event-queue.ts";
import { temporaryDirectory } from "./temporary-directory.fake.ts";

const mebibyte = 1024 * 1024;

it("gives lines in the order they came, each again until it is done", async ({ signal }) => {
  const { queue } = await opened();
  await Promise.all(["a", "b", "ü\u2028c"].map((line) => queue.add(line)));

  expect(await queue.next({ signal })).toBe("a");
  expect(await queue.next({ signal })).toBe("a");
  await queue.done();
  expect(await take(queue, 2, signal)).toEqual(["b", "ü\u2028c"]);
  expect(queue.pending).toBe(0);
});

it("waits for a line", async ({ signal }) => {
  const { queue } = await opened();
  const next = queue.next({ signal });

  await queue.add("late");

  expect(await next).toBe("late");
});

it("stops waiting when told to", async () => {
  const { queue } = await opened();
  const stop = new AbortController();
  const next = queue.next(stop);

  stop.abort(new Error("enough"));

  await expect(next).rejects.toThrow("enough");
});

it("goes on after a process that was killed, where that one was", async ({ signal }) => {
  const { queue, directory } = await opened();
  for (const line of ["a", "b", "c"]) await queue.add(line);
  await take(queue, 1, signal);
  expect(await queue.next({ signal })).toBe("b"); // under way, not done

  const { queue: after } = await opened({ directory });

  expect(after.pending).toBe(2);
  await after.add("d");
  expect(await take(after, 3, signal)).toEqual(["b", "c", "d"]);
});

it("passes over what a power failure has cut, and begins at the oldest without a position", async ({
  signal,
}) => {
  const { queue, directory } = await opened();
  for (const line of ["a", "b"]) await queue.add(line);
  await take(queue, 1, signal);
  await appendFile(join(directory, "00000001.jsonl"), '{"half');
  await writeFile(join(directory, "position"), "\0".repeat(64));

  const { queue: after } = await opened({ directory });

  expect(after.pending).toBe(2);
  await after.add("c");
  expect(await take(after, 3, signal)).toEqual(["a", "b", "c"]);
});

it("never gives the number of a segment again, when somebody removed the files", async ({
  signal,
}) => {
  const { queue, directory } = await opened();
  await queue.add("a");
  await take(queue, 1, signal);
  await rm(join(directory, "00000001.jsonl"));

  const { queue: after } = await opened({ directory });
  await after.add("b");

  expect(await after.next({ signal })).toBe("b");
  expect((await readdir(directory)).sort()).toEqual(["00000002.jsonl", "position"]);
});

it("goes through many segments, and keeps none that is done with", async ({ signal }) => {
  const { queue, directory } = await opened();
  const lines = Array.from({ length: 40 }, (_, index) => String(index).padEnd(100_000, "x"));
  for (const line of lines) await queue.add(line);
  expect((await readdir(directory)).length).toBeGreaterThan(3);

  const taken = await take(queue, lines.length, signal);

  expect(taken.map((line) => Number.parseInt(line, 10))).toEqual(lines.map((_, index) => index));
  expect(queue.pending).toBe(0);
  expect((await readdir(directory)).length).toBe(2);
});

it("lets the oldest go when there are too many, and says how many", async ({ signal }) => {
  const { queue, dropped } = await opened({ maximumBytes: 2 * mebibyte });
  await queue.add("first");
  await take(queue, 1, signal);

  for (let index = 0; index < 60; index++) await queue.add(String(index).padEnd(100_000, "x"));

  const lost = dropped.reduce((sum, lines) => sum + lines, 0);
  expect(lost).toBeGreaterThan(20);
  expect(queue.pending).toBe(60 - lost);
  expect(Number.parseInt(await queue.next({ signal }), 10)).toBe(lost);
});

it("does not count a line as done that was dropped while somebody was at it", async ({
  signal,
}) => {
  const { queue, dropped } = await opened({ maximumBytes: mebibyte });
  await queue.add("0".padEnd(600_000, "x"));
  await queue.add("1".padEnd(600_000, "x"));
  await queue.next({ signal });
  await queue.add("2".padEnd(600_000, "x"));
  expect(dropped).toEqual([2]);

  await queue.done();

  expect((await queue.next({ signal }))[0]).toBe("2");
  expect(queue.pending).toBe(1);
});

it("keeps lines in memory while the disk takes none, says so once, and writes them later", async ({
  signal,
}) => {
  const { queue, directory, logger } = await opened();
  await rm(directory, { recursive: true });
  await queue.add("a");
  await queue.add("b");
  expect(logger.messages("error")).toEqual(["notifications cannot be written down"]);
  expect(queue.pending).toBe(2);

  await mkdir(directory);

  expect(await take(queue, 2, signal)).toEqual(["a", "b"]);
  expect(logger.messages("info")).toEqual(["notifications are written down again"]);
});

it("says how many it could not keep when it ends", async ({ signal }) => {
  const { queue, directory, dropped, reasons } = await opened();
  await rm(directory, { recursive: true });
  expect(await queue.add("a")).toBe("in memory");

  await queue.close({ signal });

  expect(dropped).toEqual([1]);
  expect(reasons).toEqual(["they could not be written down"]);
});

async function opened({ directory = "", maximumBytes = 64 * mebibyte } = {}) {
  const place = directory || (await temporaryDirectory());
  const logger = new FakeLogger();
  const dropped: number[] = [];
  const reasons: string[] = [];
  const queue = await openEventQueue({
    ...{ directory: place, maximumBytes, logger, clock: systemClock },
    dropped(lines, reason) {
      dropped.push(lines);
      reasons.push(reason);
    },
  });
  onTestFinished(() => queue.close({ signal: AbortSignal.timeout(1_000) }).catch(() => {}));
  return { queue, directory: place, logger, dropped, reasons };
}

async function take(queue: EventQueue, count: number, signal: AbortSignal): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < count) {
    lines.push(await queue.next({ signal }));
    await queue.done();
  }
  return lines;
}
