import { describe, expect, it } from "vitest";
import { newestTags, parseRecordName, recordOf, surplusRecords } from "./audit-record.ts";

const at = new Date("2026-01-02T03:04:05.678Z");

describe("the record of a deployment", () => {
  it("is named and worded as the original does", () => {
    const deployment = { host: "Web-1.example.com", command: "server", at } as const;

    const { name, text } = recordOf(deployment);

    expect(name).toMatch(
      /^shipped_to_web-1\.example\.com_server_at_20260102T030405\.678\d{6}Z\.txt$/,
    );
    expect(text).toBe(name.replaceAll("_", " ").replace(".txt", ""));
    expect(parseRecordName(name)?.at).toEqual(at);
  });

  it("is another one for each deployment of the same millisecond", () => {
    const deployment = { host: "web", command: "server", at } as const;
    const names = Array.from({ length: 20 }, () => recordOf(deployment).name);

    expect(new Set(names).size).toBeGreaterThan(15);
  });

  it("makes no directory of a strange host name", () => {
    expect(recordOf({ host: "a/../b c", command: "assets", at }).name).toMatch(
      /^shipped_to_a-..-b-c_assets_at_/,
    );
  });

  it.each([
    ["shipped_to_web_server_at_20260102T030405.678901234Z.txt", "web", "server", at],
    ["shipped_to_web_assets_at_20260102T030405.6Z.txt", "web", "assets", new Date(+at - 78)],
    ["shipped_to_web_container_at_20260102T030405Z.txt", "web", "container", new Date(+at - 678)],
    [
      "shipped_to_my_server_at_home_server_at_20260102T030405.678Z.txt",
      "my_server_at_home",
      "server",
      at,
    ],
  ])("reads %s", (name, host, command, time) => {
    expect(parseRecordName(name)).toEqual({ host, command, at: time });
  });

  it.each([
    "app.tar.gz",
    "shipped_to_web_server_at_20261302T030405Z.txt",
    "shipped_to_web_server_at_yesterday.txt",
    "shipped_to__server_at_20260102T030405Z.txt",
    "shipped_to_web_dance_at_20260102T030405Z.txt",
  ])("takes %s for none", (name) => {
    expect(parseRecordName(name)).toBeUndefined();
  });

  it("makes the oldest of the same host give way, and no other", () => {
    const atOf = (day: number) => new Date(Date.UTC(2026, 0, day + 1));
    const names = Array.from(
      { length: 21 },
      (_, day) => recordOf({ host: "web", command: "server", at: atOf(day) }).name,
    );
    const others = names.map((name) => ({ name: name.replace("web", "other") }));
    const items = [...others, ...names.map((name) => ({ name }))];

    expect(surplusRecords(items, "Web").map(({ name }) => name)).toEqual([names[1], names[0]]);
    expect(surplusRecords(items, "new")).toEqual([]);
  });

  it("is looked for under the newest tags first", () => {
    expect(newestTags(["v1.9.0", "v1.10.0", "v0.1.0"])).toEqual(["v1.10.0", "v1.9.0", "v0.1.0"]);
  });
});
