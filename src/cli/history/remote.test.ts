import { beforeEach, describe, expect, it } from "vitest";
import type { HistoryFilter } from "../../agent/history/search.ts";
import type { AuditRecord, ReleaseRegistry } from "../../agent/release.ts";
import { FakeReleaseRegistry } from "../../agent/release-registry.fake.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import type { CommandContext } from "../command.ts";
import type { Output } from "./local.ts";
import { showRemote } from "./remote.ts";

describe("the history that a registry keeps", () => {
  let printed: string[];
  let noted: string[];
  beforeEach(() => {
    printed = [];
    noted = [];
  });

  it("is in the order of time, whatever the registry's is", async () => {
    await show([audit("v1.1.0", 3), audit("v1.0.0", 1), audit("v1.0.0", 2, "h2")]);

    expect(printed.map((line) => line.slice(28))).toEqual([
      "HOST  COMMAND  TAG",
      "h1    server   v1.0.0",
      "h2    server   v1.0.0",
      "h1    server   v1.1.0",
    ]);
  });

  it("is one JSON object a line for programs", async () => {
    await show([audit("v1.0.0", 1)], { json: true });

    expect(printed.map((line) => JSON.parse(line))).toEqual([
      {
        at: "2026-11-01T01:00:00.000Z",
        host: "h1",
        command: "server",
        tag: "v1.0.0",
        registry: "fake://app",
      },
    ]);
  });

  it.each<[HistoryFilter, string[]]>([
    [{ tag: "v1.0.0" }, ["v1.0.0"]],
    [{ since: new Date("2026-11-01T02:00:00Z") }, ["v1.1.0"]],
    [{}, ["v1.0.0", "v1.1.0"]],
  ])("is cut to what is asked for: %j", async (filter, tags) => {
    await show([audit("v1.1.0", 2), audit("v1.0.0", 1)], { json: true }, filter);

    expect(printed.map((line) => JSON.parse(line).tag)).toEqual(tags);
  });

  it("says that older ones are left out of a table", async () => {
    await show([audit("v1.1.0", 2), audit("v1.0.0", 1)], { limit: 1 });

    expect(printed[1]).toContain("v1.1.0");
    expect(printed).toHaveLength(2);
    expect(noted).toEqual([expect.stringContaining("left out 1 older ones")]);
  });

  it("may be empty", async () => {
    await show([]);

    expect(printed).toEqual([]);
    expect(noted).toEqual([expect.stringContaining("no record")]);
  });

  it("does not fill the memory, however long it is", async () => {
    async function* endless() {
      for (;;) yield audit("v1.0.0", 1);
    }

    await expect(show(endless())).rejects.toMatchObject({
      hint: "ask for fewer, by --since or --tag",
    });
  });

  it("is refused where the registry keeps none", async () => {
    await expect(
      showRemote([{ registry: new FakeReleaseRegistry(), app: undefined }], {}, plain, context()),
    ).rejects.toThrow("no record of deployments is kept by fake://app");
  });

  it("names the registries that keep none among those that do", async () => {
    const other = new FakeReleaseRegistry();
    await showRemote(
      [
        { registry: other, app: "api" },
        { registry: keeping([audit("v1.0.0", 1)]), app: "web" },
      ],
      {},
      plain,
      context(),
    );

    expect(printed[1]).toContain("  web  h1 ");
    expect(noted).toEqual(["dewy: no record of deployments is kept by fake://app"]);
  });

  async function show(
    records: Iterable<AuditRecord> | AsyncIterable<AuditRecord>,
    output: Partial<Output> = {},
    filter: HistoryFilter = {},
  ): Promise<void> {
    const registry = keeping(records);
    await showRemote([{ registry, app: undefined }], filter, { ...plain, ...output }, context());
  }

  function context(): CommandContext {
    return {
      print: (line) => printed.push(line),
      note: (line) => noted.push(line),
      terminal: undefined,
      environment: {},
      directory: "/",
      signal: AbortSignal.timeout(5_000),
      onRestart: () => () => {},
      clock: new FakeClock(),
    };
  }
});

function keeping(records: Iterable<AuditRecord> | AsyncIterable<AuditRecord>): ReleaseRegistry {
  return Object.assign(new FakeReleaseRegistry(), {
    async *audits() {
      yield* records;
    },
  });
}

const plain: Output = { json: false, limit: undefined };

function audit(tag: string, hour: number, host = "h1"): AuditRecord {
  return { host, command: "server", tag, at: new Date(Date.UTC(2026, 10, 1, hour)) };
}
