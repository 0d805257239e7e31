import { describe, expect, it } from "vitest";
import type { HistoryEntry } from "../../agent/history/entry.ts";
import { localTime, remoteTableOf, tableOf } from "./table.ts";

const alice = { by: "person", person: "alice (uid 7)", why: "it is slow" } as const;
const base: HistoryEntry = {
  version: 1,
  at: "2026-11-21T08:30:00.000Z",
  event: "deployed",
  app: "web",
  host: "h1",
  mode: "server",
};

describe("the table of a history", () => {
  it("has a line for each entry, in columns", () => {
    const lines = tableOf([
      { ...base, tag: "v1.0.0", durationMs: 640 },
      { ...base, tag: "v1.1.0", previousTag: "v1.0.0", durationMs: 75_000, ...alice },
    ]);

    const time = localTime(base.at);
    expect(lines).toEqual([
      `${"TIME".padEnd(time.length)}  APP  TAG              RESULT    TOOK        BY                         ERROR`,
      `${time}  web  v1.0.0           deployed  640 ms`,
      `${time}  web  v1.1.0 ← v1.0.0  deployed  1 min 15 s  alice (uid 7): it is slow`,
    ]);
  });

  it.each<[Partial<HistoryEntry>, string]>([
    [
      { event: "deployment failed", error: "no space", durationMs: 5_250 },
      "failed  5.3 s      no space",
    ],
    [
      { event: "deployment failed", error: "no space", failures: 3 },
      "failed (3×)            no space",
    ],
    [{ event: "hook failed", hook: "after-deploy" }, "after-deploy hook failed"],
    [{ event: "app died", error: "killed by SIGKILL" }, "app died            killed by SIGKILL"],
  ])("says how it ended: %j", (change, expected) => {
    expect(tableOf([{ ...base, ...change }])[1]).toContain(expected);
  });

  it("cannot be steered by what an app or a registry says", () => {
    const error = "\u001b[2J\u202Etxt\r\nline";

    const [, line = ""] = tableOf([{ ...base, error }]);

    expect(line).toContain("�[2J�txt��line");
  });

  it("names the hosts in a registry's records, and the apps where they are known", () => {
    const registry = "ghr://o/web";
    const record = { at: base.at, host: "h1", command: "server", tag: "v1.0.0", registry };

    const time = localTime(base.at);
    expect(remoteTableOf([record])[1]).toBe(`${time}  h1    server   v1.0.0`);
    expect(remoteTableOf([{ ...record, app: "web" }])[1]).toBe(
      `${time}  web  h1    server   v1.0.0`,
    );
  });

  it.each(["2026-11-21T08:30:00Z", "2026-06-01T23:59:59Z"])(
    "shows %s in the local zone, with its offset",
    (at) => {
      const shown = localTime(at);

      expect(shown).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d$/);
      expect(new Date(shown).getTime()).toBe(Date.parse(at));
      expect(new Date(at).getHours()).toBe(Number(shown.slice(11, 13)));
    },
  );
});
