import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openDismissals } from "./dismissals.ts";

describe("dismissals", () => {
  it("are known to the next agent", async () => {
    const path = join(await directory(), "dismissals.json");
    const before = await openDismissals(path, { logger: new FakeLogger() });
    await Promise.all(["one", "two", "three"].map((id) => before.note(id)));
    await before.forget("one");
    await before.keep(["three", "four"]);

    const next = await openDismissals(path, { logger: new FakeLogger() });

    expect(["one", "two", "three", "four"].map((id) => next.has(id))).toEqual([
      ...[false, false, true, false],
    ]);
    expect(await readdir(join(path, ".."))).toEqual(["dismissals.json"]);
  });

  it("hold for this agent where they cannot be written", async () => {
    const path = join(await directory(), "dismissals.json");
    const logger = new FakeLogger();
    const dismissals = await openDismissals(path, { logger });
    await mkdir(join(path, "taken"), { recursive: true });

    await dismissals.note("one");

    expect(dismissals.has("one")).toBe(true);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      "Which containers are told to end could not be kept",
    ]);
  });

  it("are none where the file is rotten", async () => {
    const path = join(await directory(), "dismissals.json");
    await writeFile(path, "{");
    const logger = new FakeLogger();

    const dismissals = await openDismissals(path, { logger });

    expect(dismissals.has("one")).toBe(false);
    expect(logger.lines).toHaveLength(1);
  });
});

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "dewy-dismissals-"));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}
