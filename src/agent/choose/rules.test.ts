import { describe, expect, it } from "vitest";
import { type ChoiceFlags, rulesOf } from "./rules.ts";

const host = { platform: { os: "linux", architecture: "amd64" }, libc: "musl" } as const;

describe("rulesOf", () => {
  it("joins what the URL, the command line and the host say", async () => {
    const query = { preRelease: true, artifact: "app.zip", calver: "YYYY.0M" };

    expect(await rulesOf(query, { slot: "blue" }, host)).toMatchObject({
      ...host,
      preRelease: true,
      artifact: "app.zip",
      slot: "blue",
      versioning: { which: "of the form YYYY.0M" },
      constraint: undefined,
    });
  });

  it("reads semantic versions of every slot unless told", async () => {
    const { versioning, slot, constraint } = await rules({});

    expect(versioning?.parse("v1.2.3+blue")).toBeDefined();
    expect([slot, constraint]).toEqual([undefined, undefined]);
    expect((await rules({ slot: "" })).slot).toBeUndefined();
  });

  it.each([
    [{ calver: "YYYY.MM" }, { calver: "YYYY.MM" }],
    [{ calver: "YYYY.MM" }, {}],
    [{}, { calver: "YYYY.MM" }],
  ])(
    "takes a calendar format from the command line %j as from the URL %j",
    async (flags, query) => {
      expect((await rules(flags, query)).versioning?.parse("2026.1")).toBeDefined();
    },
  );

  it.each([
    [{ constraint: "^1" }, { constraint: "^1" }],
    [{ constraint: "^1" }, {}],
    [{}, { constraint: "^1" }],
  ])("takes a range from the command line %j as from the URL %j", async (flags, query) => {
    expect((await rules(flags, query)).constraint?.text).toBe("^1");
  });

  it.each<[ChoiceFlags, ChoiceFlags, string]>([
    [
      { calver: "YYYY.MM" },
      { calver: "YYYY.0M" },
      "--calver is YYYY.MM, and the query of --registry has calver=YYYY.0M",
    ],
    [
      { constraint: "^1" },
      { constraint: "^2" },
      "--constraint is ^1, and the query of --registry has constraint=^2",
    ],
    [{ calver: "nope" }, {}, "--calver: nope is not a calendar version format"],
    [{}, { calver: "" }, "--registry: calver: (nothing) is not a calendar version format"],
    [{ constraint: "nope" }, {}, "--constraint: nope is not a range"],
    [{}, { constraint: "" }, "--registry: constraint: (nothing) is not a range"],
    [
      { constraint: "^1" },
      { calver: "YYYY" },
      "--constraint: a range is one of semantic versions, and --registry: calver asks for calendar",
    ],
    [{ slot: "+blue" }, {}, "--slot: +blue cannot be the build metadata"],
    [{ slot: "my_slot" }, {}, "--slot: my_slot cannot be the build metadata"],
  ])("refuses the command line %j with the URL %j", async (flags, query, message) => {
    await expect(rules(flags, query)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });
});

const rules = (flags: ChoiceFlags, query: ChoiceFlags = {}) =>
  rulesOf({ preRelease: false, artifact: undefined, ...query }, flags, host);
