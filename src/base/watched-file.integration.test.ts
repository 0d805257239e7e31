import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { isEchoOf } from "./call.ts";
import { FakeClock } from "./clock.fake.ts";
import { type Clock, systemClock } from "./clock.ts";
import { FakeLogger } from "./logger.fake.ts";
import { changesOf } from "./watched-file.ts";

const soon = { timeout: 10_000 };

describe("a watched file", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "dewy-watched-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    path = join(directory, "dewy.yaml");
    await writeFile(path, "one");
  });

  it("is seen to change when it is written in place, or touched", async () => {
    const { seen, rested } = watch();
    await rested;
    await writeFile(path, "two");
    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);

    await writeFile(join(directory, "other"), "something else");
    await utimes(path, 1, 1);
    await vi.waitFor(() => expect(seen).toEqual(["two", "two"]), soon);
  });

  it("is seen to change when an editor puts another in its place", async () => {
    const { seen, rested } = watch();
    await rested;

    await rename(path, `${path}~`);
    await writeFile(`${path}.new`, "two");
    await rename(`${path}.new`, path);

    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);
  });

  it("is seen to change when the directory its link leads through is swapped", async () => {
    await rm(path);
    for (const text of ["one", "two"]) {
      await mkdir(join(directory, `..${text}`));
      await writeFile(join(directory, `..${text}`, "dewy.yaml"), text);
    }
    await symlink("..one", join(directory, "..data"));
    await symlink("..data/dewy.yaml", path);
    const { seen, rested } = watch();
    await rested;

    await symlink("..two", join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));

    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);
  });

  it("is seen to change where the system does not tell: far behind a link", async () => {
    const far = await mkdtemp(join(tmpdir(), "dewy-far-"));
    onTestFinished(() => rm(far, { recursive: true }));
    await writeFile(join(far, "dewy.yaml"), "one");
    await rm(path);
    await symlink(join(far, "dewy.yaml"), path);
    const { seen, rested } = watch();
    await rested;

    await writeFile(join(far, "dewy.yaml"), "two");

    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);
  });

  it("is not taken for changed before it has come to rest", async () => {
    const fake = new FakeClock();
    const { seen, sleeps, rested } = watch(fake);
    await vi.waitFor(() => expect(sleeps).toEqual([300]), soon);
    await fake.advance(300);
    await rested;

    await writeFile(path, "x");
    await vi.waitFor(() => expect(sleeps).toEqual([300, 5000, 300]), soon);
    await writeFile(path, "xx");
    await fake.advance(300);
    await vi.waitFor(() => expect(sleeps).toEqual([300, 5000, 300, 300]), soon);
    expect(seen).toEqual([]);

    await fake.advance(300);
    await vi.waitFor(() => expect(seen).toEqual(["xx"]), soon);
  });

  it("has what it had when it is gone for a while, which is said once", async () => {
    const { seen, logger, rested } = watch();
    await rested;

    await rm(path);
    await vi.waitFor(() => expect(logger.messages("warn")).toHaveLength(1), soon);
    await writeFile(join(directory, "other"), "something else");
    await writeFile(`${path}.new`, "two");
    await rename(`${path}.new`, path);

    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);
    expect(logger.messages("warn")).toHaveLength(1);
  });

  it("may have changed between the time it was read and the time it is watched", async () => {
    await writeFile(path, "two");

    const { seen } = watch();

    await vi.waitFor(() => expect(seen).toEqual(["two"]), soon);
  });

  it("is watched until nobody wants to know any more", async () => {
    const { stop, done, rested } = watch();
    await rested;

    stop.abort(new Error("enough"));

    expect(isEchoOf(stop.signal, await done.catch((error) => error))).toBe(true);
  });

  function watch(time: Clock = systemClock) {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const logger = new FakeLogger();
    const seen: string[] = [];
    const sleeps: number[] = [];
    const clock: Clock = {
      now: () => time.now(),
      sleep(ms, call) {
        sleeps.push(ms);
        return time.sleep(ms, call);
      },
    };
    const done = (async () => {
      for await (const text of changesOf(path, { clock, logger, before: "one" }, stop)) {
        seen.push(text);
      }
    })();
    done.catch(() => {});
    const rested = vi.waitFor(() => expect(sleeps).toContain(5000), soon);
    return { seen, logger, stop, done, sleeps, rested };
  }
});
