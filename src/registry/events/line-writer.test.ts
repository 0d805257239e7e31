import { mkdir, rm } from "node:fs/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { LineWriter } from "./line-writer.ts";
import { temporaryDirectory } from "./temporary-directory.fake.ts";

it("is stuck until the disk has every line that it has in memory", async () => {
  const directory = await temporaryDirectory();
  await rm(directory, { recursive: true });
  const seen: { isStuck: boolean; waiting: number }[] = [];
  const writer = new LineWriter({
    ...{ directory, clock: systemClock, logger: new FakeLogger(), firstNumber: 1 },
    begun() {},
    written: () => seen.push({ isStuck: writer.isStuck, waiting: writer.waiting }),
    dropped() {},
  });
  onTestFinished(() => writer.close({ signal: AbortSignal.timeout(1_000) }));
  const first = Array.from({ length: 200 }, () => writer.add("a line"));
  expect(new Set(await Promise.all(first))).toEqual(new Set(["in memory"]));
  const rest = Array.from({ length: 200 }, () => writer.add("a line"));
  expect(new Set(await Promise.all(rest))).toEqual(new Set(["in memory"]));
  expect(seen).toEqual([]);

  await mkdir(directory);

  await vi.waitFor(() => expect(writer.waiting).toBe(0), 10_000);
  expect(seen).toEqual([
    { isStuck: true, waiting: 144 },
    { isStuck: false, waiting: 0 },
  ]);
  expect(await writer.add("another")).toBe("written");
});
