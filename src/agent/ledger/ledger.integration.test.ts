import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { beginAttempt, commitRelease } from "./attempt.ts";
import { openLedger } from "./ledger.ts";

const now = new Date("2026-11-21T05:20:30Z");
const target = { tag: "v1", identity: "a", artifact: "app.tar.gz" };
const release = {
  ...target,
  digest: digestOf("app"),
  directory: "/srv/app/releases/20261121T052030Z",
  since: now.toISOString(),
};

describe("Ledger", () => {
  it("begins empty, and remembers what was written", async () => {
    const { open, path } = await prepare();
    const ledger = await open();
    expect(ledger.state).toEqual({ version: 1, releases: [] });

    await ledger.update((state) => beginAttempt(state, target, now));
    await ledger.update((state) => commitRelease(state, release));

    expect((await open()).state).toEqual({ version: 1, active: release, releases: [release] });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("applies changes one after another, each to the outcome of the last", async () => {
    const { open } = await prepare();
    const ledger = await open();
    const tags = Array.from({ length: 20 }, (_, index) => `v${index}`);

    const changes = tags.map((tag) =>
      ledger.update((state) => ({ ...state, releases: [...state.releases, { ...release, tag }] })),
    );
    await Promise.all(changes);

    expect((await open()).state.releases.map(({ tag }) => tag)).toEqual(tags);
  });

  it("stays as it was when a change throws or cannot be written, and goes on", async () => {
    const { open, path, directory } = await prepare();
    const ledger = await open();
    const fail = () => {
      throw new Error("no");
    };

    await expect(ledger.update(fail)).rejects.toThrow("no");
    await rm(directory, { recursive: true });
    await expect(ledger.update((state) => commitRelease(state, release))).rejects.toThrow(path);

    expect(ledger.state).toEqual({ version: 1, releases: [] });
  });

  it("holds what cannot be written where it is to, and writes it as soon as it can", async () => {
    const { open, directory } = await prepare();
    const ledger = await open();
    await rm(directory, { recursive: true });

    await ledger.hold((state) => commitRelease(state, release));
    await ledger.catchUp();
    expect(ledger.state.active).toEqual(release);
    await mkdir(directory);
    await ledger.catchUp();

    expect((await open()).state.active).toEqual(release);
  });

  it.each([
    ["is cut short", '{"version":1,"rel'],
    ["is empty", ""],
    ["is from a newer version", '{"version":2,"releases":[]}'],
    ["lacks something", '{"version":1}'],
    ["has a wrong digest", JSON.stringify({ version: 1, releases: [{ ...release, digest: "x" }] })],
  ])("moves one aside that %s, says so, and begins anew", async (_what, text) => {
    const { open, path, directory, logger } = await prepare();
    await writeFile(path, text);

    const ledger = await open();

    expect(ledger.state).toEqual({ version: 1, releases: [] });
    const aside = "ledger.json.broken-20261121T052030Z";
    expect(await readdir(directory)).toEqual([aside]);
    expect(await readFile(join(directory, aside), "utf8")).toBe(text);
    expect(logger.messages("warn")).toEqual(["Ledger was unreadable and begins anew"]);
  });
});

it("moves a directory in its place aside, too", async () => {
  const { open, path, logger } = await prepare();
  await mkdir(path);

  const ledger = await open();
  await ledger.update((state) => commitRelease(state, release));

  expect((await open()).state.active).toEqual(release);
  expect(logger.messages("warn")).toEqual(["Ledger was unreadable and begins anew"]);
});

async function prepare() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-ledger-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "ledger.json");
  const logger = new FakeLogger();
  const open = () => openLedger(path, { logger, clock: new FakeClock(now) });
  return { directory, path, logger, open };
}
