import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openRestarts } from "./restarts.ts";

describe("what is kept of replicas that ended", () => {
  let path: string;
  const parts = { clock: new FakeClock(), logger: new FakeLogger() };
  beforeEach(async () => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-restarts-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    path = join(directory, "restarts.json");
  });

  it("has the next agent wait as long, and count on", async () => {
    const first = await openRestarts(path, parts);
    for (let times = 0; times < 6; times++) first.note(0, times % 2);
    await first.kept();

    const next = await openRestarts(path, parts);

    expect([next.countOf(), next.countOf(0), next.countOf(1)]).toEqual([6, 3, 3]);
    expect(next.leftMs()).toBeGreaterThan(5_000);
    expect(next.leftMs()).toBeLessThanOrEqual(first.leftMs() + 1_000);
  });

  it("is forgotten with the release", async () => {
    const first = await openRestarts(path, parts);
    first.note(0, 0);
    first.forget();
    await first.kept();

    const next = await openRestarts(path, parts);

    expect([next.countOf(), next.leftMs()]).toEqual([0, 0]);
  });

  it("is begun anew where it cannot be read, and makes nobody wait for a clock that was set back", async () => {
    await writeFile(path, "{");
    expect((await openRestarts(path, parts)).countOf()).toBe(0);

    const state = { version: 1, count: 2, notBefore: "2999-01-01T00:00:00.000Z", counts: [[0, 2]] };
    await writeFile(path, JSON.stringify(state));
    const next = await openRestarts(path, parts);

    expect(next.countOf()).toBe(2);
    expect(next.leftMs()).toBeLessThanOrEqual(60_000);
  });
});
