import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openWorkerRecord, type RecordedWorker } from "./worker-record.ts";

describe("the record of workers", () => {
  it("is read back by the next agent", async () => {
    const { path, logger } = await place();
    const record = await openWorkerRecord(path, logger);

    await Promise.all([record.add(worker(10)), record.add(worker(11)), record.add(worker(12))]);
    await record.remove(worker(11));

    const next = await openWorkerRecord(path, logger);
    expect(next.workers).toEqual([worker(10), worker(12)]);
    expect(logger.lines).toEqual([]);
  });

  it("keeps a worker whose number another one had", async () => {
    const { path, logger } = await place();
    const record = await openWorkerRecord(path, logger);
    await record.add(worker(10));

    await record.remove({ pid: 10, identity: "another boot" });

    expect(record.workers).toEqual([worker(10)]);
  });

  it("is for the owner only, and leaves no draft", async () => {
    const { path, directory, logger } = await place();

    await (await openWorkerRecord(path, logger)).add(worker(10));

    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, ".dewy"))).toEqual(["workers.json"]);
  });

  it.each([
    ["garbage", "{"],
    ["another version", JSON.stringify({ version: 2, workers: [] })],
    ["a process nobody may signal", JSON.stringify({ version: 1, workers: [worker(1)] })],
    ["a group of its own", JSON.stringify({ version: 1, workers: [worker(-5)] })],
    ["no identity", JSON.stringify({ version: 1, workers: [{ ...worker(10), identity: "" }] })],
  ])("is begun anew, with a warning, when it holds %s", async (_what, text) => {
    const { path, logger } = await place();
    await (await openWorkerRecord(path, logger)).add(worker(9));
    await writeFile(path, text);

    const record = await openWorkerRecord(path, logger);
    await record.add(worker(10));

    expect(logger.messages("warn")).toHaveLength(1);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ version: 1, workers: [worker(10)] });
  });

  it("goes on after a write that failed", async () => {
    const { path, directory, logger } = await place();
    const record = await openWorkerRecord(path, logger);
    await writeFile(join(directory, ".dewy"), "in the way");
    await expect(record.add(worker(10))).rejects.toMatchObject({ code: expect.any(String) });
    await rm(join(directory, ".dewy"));

    await record.add(worker(11));

    expect((await openWorkerRecord(path, logger)).workers).toEqual([worker(10), worker(11)]);
  });
});

function worker(pid: number): RecordedWorker {
  return { pid, identity: `boot/${pid}`, generation: 1, startedAt: "2026-01-01T00:00:00.000Z" };
}

async function place() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-record-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { directory, path: join(directory, ".dewy/workers.json"), logger: new FakeLogger() };
}
