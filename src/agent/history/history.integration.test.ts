import {
  appendFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AgentEvent, Deployment } from "../event.ts";
import type { HistoryEntry } from "./entry.ts";
import { openHistory } from "./history.ts";
import { append, journalPaths } from "./journal.ts";
import { type ReadHistoryOptions, readHistory } from "./read-history.ts";

describe("the history of an app", () => {
  let directory: string;
  let journal: string;
  let clock: FakeClock;
  let logger: FakeLogger;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "dewy-history-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    [journal] = journalPaths(directory);
    clock = new FakeClock();
    logger = new FakeLogger();
  });

  it("is what was observed, in order, also for the next process", async ({ signal }) => {
    const history = open();
    history.observe({ type: "started", version: "0.1.0", registry: "ghr://a/b", ports: [] });
    for (let patch = 0; patch < 120; patch++) history.observe(deployed(`v1.0.${patch}`));
    await history.close({ signal });
    const next = open();
    next.observe(deployed("v1.1.0"));
    await next.close({ signal });

    const entries = await read();

    expect(entries.map(({ tag }) => tag)).toEqual([
      ...Array.from({ length: 120 }, (_, patch) => `v1.0.${patch}`),
      "v1.1.0",
    ]);
    expect(entries[0]).toMatchObject({ registry: "ghr://a/b", dewy: "0.1.0", host: "h1" });
  });

  it("is for its owner's eyes, and not there before there is something to say", async ({
    signal,
  }) => {
    const history = open();
    expect(await readdir(directory)).toEqual([]);

    history.observe(deployed("v1.0.0"));
    await history.close({ signal });

    expect((await stat(journal)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, ".dewy"))).mode & 0o777).toBe(0o700);
  });

  it("has the time at which a deployment was committed, however late it is told of", async ({
    signal,
  }) => {
    const history = open();
    const at = new Date("2025-12-31T23:00:00Z");

    history.observe({ type: "deployed", deployment: deploymentOf("v1.0.0"), at });
    await history.close({ signal });

    expect(await read()).toMatchObject([{ tag: "v1.0.0", at: at.toISOString() }]);
  });

  it("knows the release of an app that died", async ({ signal }) => {
    const history = open();
    history.observe({ type: "app started", reason: "boot", tag: "v1.0.0", pid: 1 });
    history.observe({ type: "app died", how: "killed by SIGSEGV" });
    history.observe(deployed("v1.1.0"));
    history.observe({ type: "app died", how: "ended with status 1" });
    await history.close({ signal });

    expect((await read()).map(({ event, tag }) => `${event} ${tag}`)).toEqual([
      "app died v1.0.0",
      "deployed v1.1.0",
      "app died v1.1.0",
    ]);
  });

  it.each([1, 5, 200])(
    "loses only the line that a crash cut %i bytes before its end",
    async (cut) => {
      await append(directory, [lineOf("v1.0.0"), lineOf("v1.0.1")]);
      await truncate(journal, (await stat(journal)).size - cut);

      await append(directory, [lineOf("v1.0.2")]);

      const lost = cut > 1 ? [] : ["v1.0.1"];
      expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0", ...lost, "v1.0.2"]);
      expect(await unreadable()).toBe(0);
    },
  );

  it("goes on after bytes that are no lines, and says that they are there", async () => {
    await append(directory, [lineOf("v1.0.0")]);
    await appendFile(journal, Buffer.alloc(200_000));

    await append(directory, [lineOf("v1.0.1")]);

    expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0", "v1.0.1"]);
    expect(await unreadable()).toBe(1);
  });

  it("leaves out what a newer dewy wrote", async () => {
    const newer = JSON.stringify({ ...JSON.parse(lineOf("v9.0.0")), version: 2 });
    await append(directory, [newer, lineOf("v1.0.0")]);

    expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0"]);
    expect(await unreadable()).toBe(1);
  });

  it("sets a full journal aside, keeps a few of them, and finds what is in them", async () => {
    for (let patch = 0; patch < 40; patch++)
      await append(directory, [lineOf(`v1.0.${patch}`)], 1000);

    const names = await readdir(join(directory, ".dewy"));
    const tags = (await read()).map(({ tag }) => tag);
    expect(names.toSorted()).toEqual(
      ["", ".1", ".2", ".3", ".4"].map((end) => `history.jsonl${end}`),
    );
    expect(tags.length).toBeGreaterThan(10);
    expect(tags).toEqual(
      Array.from({ length: 40 }, (_, patch) => `v1.0.${patch}`).slice(-tags.length),
    );
    for (const name of names) {
      expect((await stat(join(directory, ".dewy", name))).size).toBeLessThanOrEqual(1000);
    }
  });

  it("misses nothing and repeats nothing when a journal is set aside while it is read", async ({
    signal,
  }) => {
    for (let patch = 0; patch < 3; patch++) await append(directory, [lineOf(`v1.0.${patch}`)], 10);
    const reader = readHistory(directory, {}, { signal });
    const first = await reader.next();

    await append(directory, [lineOf("v1.0.3")], 10);

    const tags = [first.value?.tag];
    for await (const { tag } of reader) tags.push(tag);
    expect(tags).toEqual(["v1.0.0", "v1.0.1", "v1.0.2"]);
  });

  it("reads a journal once that is found under two names, as while it is set aside", async () => {
    await append(directory, [lineOf("v1.0.0")]);
    await link(journal, `${journal}.1`);

    expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0"]);
  });

  it("is settled when all is on disk, or cannot be written", async ({ signal }) => {
    const history = open();
    history.observe(deployed("v1.0.0"));
    history.observe(deployed("v1.0.1"));

    await history.settled();
    expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0", "v1.0.1"]);
    await rm(journal);
    await mkdir(journal);
    history.observe(deployed("v1.0.2"));
    await history.settled();
    expect(logger.messages("warn")).toEqual(["The history could not be written"]);
    await history.close({ signal });
  });

  it("waits with its entries while they cannot be written, and warns once", async ({ signal }) => {
    await writeFile(join(directory, ".dewy"), "in the way");
    const history = open();
    history.observe(deployed("v1.0.0"));
    await vi.waitFor(() => expect(clock.sleeping).toBe(1));
    history.observe(deployed("v1.0.1"));
    await clock.advance(5_000);
    await vi.waitFor(() => expect(clock.sleeping).toBe(1));
    expect(logger.messages("warn")).toEqual(["The history could not be written"]);

    await rm(join(directory, ".dewy"));
    await clock.advance(10_000);
    await history.close({ signal });

    expect((await read()).map(({ tag }) => tag)).toEqual(["v1.0.0", "v1.0.1"]);
  });

  it("gives up at its close what cannot be written, and says how much", async ({ signal }) => {
    await mkdir(journal, { recursive: true });
    const history = open();
    for (let patch = 0; patch < 600; patch++) history.observe(deployed(`v1.0.${patch}`));

    await history.close({ signal });

    expect(logger.lines.at(-1)).toMatchObject({
      message: "Entries of the history are lost",
      fields: { entries: 600 },
    });
  });

  it("writes nothing through a link that somebody has put there", async ({ signal }) => {
    await mkdir(join(directory, ".dewy"));
    await writeFile(join(directory, "other"), "");
    await symlink(join(directory, "other"), journal);
    const history = open();
    history.observe(deployed("v1.0.0"));

    await history.close({ signal });

    expect(await readFile(join(directory, "other"), "utf8")).toBe("");
  });

  it.each<[string, ReadHistoryOptions, string[]]>([
    ["of one tag", { tag: "v1.0.1" }, ["v1.0.1"]],
    ["of one app", { app: "web" }, ["v1.0.0", "v1.0.1", "v1.0.2", "v1.0.3"]],
    ["of another app", { app: "other" }, []],
    ["since then", { since: new Date("2026-01-01T00:02:00Z") }, ["v1.0.2", "v1.0.3"]],
    ["that failed", { failed: true }, ["v1.0.3"]],
    ["that failed, of another tag", { failed: true, tag: "v1.0.0" }, []],
  ])("finds what is %s", async (_what, filter, tags) => {
    const signal = AbortSignal.timeout(5_000);
    const history = open();
    for (let patch = 0; patch < 3; patch++) {
      history.observe(deployed(`v1.0.${patch}`));
      await clock.advance(60_000);
    }
    history.observe({ ...failure("v1.0.3") });
    await history.close({ signal });

    expect((await read(filter)).map(({ tag }) => tag)).toEqual(tags);
  });

  function open() {
    const identity = { app: "web", host: "h1", mode: "server" } as const;
    return openHistory(directory, { clock, logger, identity });
  }

  async function read(options: ReadHistoryOptions = {}): Promise<HistoryEntry[]> {
    const entries: HistoryEntry[] = [];
    const call = { signal: AbortSignal.timeout(5_000) };
    for await (const entry of readHistory(directory, options, call)) entries.push(entry);
    return entries;
  }

  async function unreadable(): Promise<number> {
    let count = 0;
    await read({ onUnreadable: () => count++ });
    return count;
  }
});

function deploymentOf(tag: string): Deployment {
  return {
    tag,
    previousTag: undefined,
    artifact: "web.tar.gz",
    identity: "sha256:1",
    digest: undefined,
    directory: undefined,
    startedAt: new Date("2026-01-01T00:00:00Z"),
    durationMs: 1,
  };
}

function deployed(tag: string): AgentEvent {
  return { type: "deployed", deployment: deploymentOf(tag) };
}

function failure(tag: string): AgentEvent {
  return {
    type: "deployment failed",
    deployment: deploymentOf(tag),
    error: new Error("no"),
    failures: 1,
  };
}

function lineOf(tag: string): string {
  const where = { app: "web", host: "h1", mode: "server" };
  const at = "2026-01-01T00:00:00.000Z";
  return JSON.stringify({
    version: 1,
    at,
    event: "deployed",
    ...where,
    tag,
    error: "x".repeat(150),
  });
}
