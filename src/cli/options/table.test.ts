import { readFileSync } from "node:fs";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { modes } from "../../agent/event.ts";
import { planned } from "../main.fake.ts";
import { jsonSchema } from "./json-schema.ts";
import { dashed, fromEnvironment, isFor, type Option, variableOf } from "./option.ts";
import { optionEntries, options } from "./table.ts";

const server = ["server", "--registry", "img://h/app"];

describe("the table of options", () => {
  it("has each letter, each flag and each variable once", () => {
    const letters = optionEntries.flatMap(([, { short }]) => short ?? []);
    const names = optionEntries.flatMap(([name, { deprecatedName }]) => [
      dashed(name),
      ...(deprecatedName ? [deprecatedName] : []),
    ]);

    expect(new Set(letters).size).toBe(letters.length);
    expect(new Set(names).size).toBe(names.length);
    expect(letters).not.toContain("v"); // the version
    expect(letters).not.toContain("h");
  });

  it.each(optionEntries)("has a default for %s that its own schema takes", (_name, option) => {
    const { fallback, kind } = option;

    if (fallback === undefined) expect(option.value).toBeDefined();
    else expect(v.safeParse(kind.schema, fallback).success).toBe(true);
  });

  it.each(optionEntries)("shows %s in the help of dewy and of a command", async (name, option) => {
    const mode = modes.find((one) => isFor(option, one)) ?? "server";
    const helps = await Promise.all([planned(["--help"]), planned([mode, "--help"])]);

    for (const { printed, status } of helps) {
      expect(printed.join("\n")).toMatch(new RegExp(`--${dashed(name)}\\b`));
      expect(status).toBe(0);
    }
  });

  it.each([
    ["logLevel", "DEWY_LOG_LEVEL", "debug", "debug"],
    ["notifier", "DEWY_NOTIFIER", " slack://a\n  slack://b ", ["slack://a", "slack://b"]],
    ["port", "DEWY_PORT", "1,2", ["1", "2"]],
    ["slot", "DEWY_SLOT", "", undefined],
  ] as const)("reads %s from %s=%j", (name, variable, value, expected) => {
    const option: Option = options[name];

    expect(variableOf(name)).toBe(variable);
    expect(fromEnvironment(name, option, { [variable]: value })).toEqual(expected);
  });
});

describe("the options of dewy", () => {
  it.each([
    [[...server, "-i", "0", "--", "app"], {}, "--interval: ask once a second"],
    [[...server, "--", "app"], { DEWY_INTERVAL: "0" }, "DEWY_INTERVAL: ask once a second"],
    [[...server, "-i", "25h", "--", "app"], {}, "--interval: that is longer than a day"],
    [
      [...server, "--drain-time", "99999999999999d", "--", "app"],
      {},
      "--drain-time: that is longer than a day: write 1d or less",
    ],
    [[...server, "--", "app"], { DEWY_PORT: "2-1" }, "DEWY_PORT: the range"],
    [
      ["assets", "img://h/a", "-p", "80"],
      {},
      "--port: dewy assets starts nothing, and takes no port",
    ],
    [
      ["assets", "img://h/a"],
      { DEWY_DRAIN_TIME: "5" },
      "DEWY_DRAIN_TIME: dewy assets starts nothing",
    ],
    [["assets", "img://h/a", "--", "app"], {}, "app: dewy assets places files and starts nothing"],
    [["assets"], {}, "--registry is missing"],
    [[...server, "--name", "a/b", "--", "app"], {}, "--name: write letters, digits"],
    [[...server, "--admin-port", "1e9", "--", "app"], {}, "--admin-port: write a port"],
    [[...server, "--cache", "memory", "--", "app"], {}, "--cache: write it as scheme://place"],
    [
      [...server, "--notifier", "general", "--", "app"],
      {},
      "--notifier: write it as scheme://place",
    ],
    [[...server, "--slot", "", "--", "app"], {}, "--slot: write something here"],
    [[...server, "--otlp-endpoint"], {}, "argument missing"],
  ])("refuse %j with %j by the name it came under", async (args, environment, expected) => {
    const { status, noted, plan } = await planned(args, { environment });

    expect(noted).toEqual([expect.stringContaining(expected)]);
    expect(status).toBe(2);
    expect(plan).toBeUndefined();
  });

  it("do not repeat a URL that is no URL, as there may be a password in it", async () => {
    const { noted } = await planned([...server, "--cache", "redis:secret@host", "--", "app"]);

    expect(noted.join()).not.toContain("secret");
  });

  it("turn telemetry on where there is somewhere to send it", async () => {
    const args = ["--otlp-endpoint", "collector:4317", "--otlp-insecure", "--admin-port", "0"];
    const { plan } = await planned([...server, ...args, "--", "app"]);

    expect(plan?.process).toMatchObject({
      telemetry: { endpoint: "collector:4317", insecure: true },
      adminPort: 17_539,
    });
  });

  it("leave other variables alone, but ask about one that is nearly theirs", async () => {
    const environment = {
      ...{ DEWY_CACHEDIR: "/c", DEWY_TAG: "v1", DEWY_RELEASE_DIR: "/r", DEWY_COLOUR: "blue" },
      DEWY_REGISTY: "ghr://a/b",
    };

    const { status, noted } = await planned([...server, "--", "app"], { environment });

    expect(noted).toEqual(["dewy: DEWY_REGISTY is no option: did you mean DEWY_REGISTRY?"]);
    expect(status).toBe(0);
  });
});

describe("dewy config schema", () => {
  it("prints the schema that the documents have", async () => {
    const { printed, status } = await planned(["config", "schema"]);

    const file = new URL("../../../docs/dewy.schema.json", import.meta.url);
    expect(JSON.parse(printed.join("\n"))).toEqual(JSON.parse(readFileSync(file, "utf8")));
    expect(status).toBe(0);
  });

  it("has each option, and those of apps below apps", () => {
    const { properties } = jsonSchema() as { properties: Record<string, object> };

    const expected = optionEntries
      .filter(([, { outsideFile }]: readonly [string, Option]) => !outsideFile)
      .map(([name]) => dashed(name));
    expect(Object.keys(properties)).toEqual([...expected, "command", "mode", "apps"]);
  });

  it.each(optionEntries)("takes for %s the texts that the program takes", (_name, { kind }) => {
    const samples = ["10", "1m30s", "1.5h", "soon", "", "ghr://a/b", "8000-8001", "x y", "a.b-c"];
    const pattern = (kind.json as { pattern?: string; type?: string }).pattern;
    if (pattern === undefined) return;

    for (const sample of samples) {
      const isTaken = v.safeParse(kind.schema, sample).success;
      expect([sample, new RegExp(pattern).test(sample)]).toEqual([sample, isTaken]);
    }
  });
});
