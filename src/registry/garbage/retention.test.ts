import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { readYaml } from "../../base/yaml-document.ts";
import { digestOf } from "../../oci/digest.ts";
import { immutableTagsOf, type KnownTag, ruleFor, verdictsOn } from "./retention.ts";
import { RetentionOptions } from "./retention-options.ts";

const dayMs = 86_400_000;
const nowMs = 1_000 * dayMs;
const moment = { nowMs, pullsSinceMs: nowMs - 400 * dayMs };

describe("verdictsOn", () => {
  it.each([
    ["{newest: 2}", "a:1 b:2 c:3", "a: newest 2 by push", "b"],
    ["{newest: 2}", "a:1 b:2 c:2", "a", "b", "c: newest 2 by push"],
    ["{newest: 9}", "a:1", "a"],
    ["{newest: 2}", "ahead:-365 wrong:-364 a:1 b:2 c:3", "ahead", "wrong", "a", "b"],
    ["{newestversions: 2}", "v1.9.0:1 1.10.0:2 v1.2.0:3 latest:0", "v1.9.0", "1.10.0"],
    ["{newestversions: 1}", "1.0.0:9 2.0.0-rc.1:2 2.0.0-rc.2:1", "1.0.0", "2.0.0-rc.2"],
    ["{newestversions: 1}", "1.0.0:9 v1.0.0:8", "1.0.0", "v1.0.0"],
    ["{pushedwithin: 30d}", "a:30 b:31", "a: pushed within 30 days"],
    ["{pulledwithin: 14d}", "a:90/14 b:90/15 c:90 d:14", "a: pulled within 14 days", "d"],
    ["{pulledwithin: 401d}", "a:900", "a: pulls are not known of for 401 days yet"],
    ["{tags: [latest, v1.*]}", "latest:9 v1.2:9 v10:9", "latest: matches latest", "v1.2"],
    ["{tags: [/^v\\d+$/]}", "v1:9 v1.2:9", "v1: matches /^v\\d+$/"],
    ["{newest: 1, tags: ['*-lts']}", "a:1 b:2 c-lts:3", "a", "c-lts"],
    [
      "{newest: 1, pushedwithin: 2d}",
      "a:1 b:2 c:3",
      "a: newest 1 by push, pushed within 2 days",
      "b",
    ],
  ])("by %s keeps of %s %s %s %s", (keep, tags, ...kept) => {
    const verdicts = verdictsOn(
      tagsIn(tags),
      ruleOf(`{repositories: ['**'], keep: ${keep}}`),
      moment,
    );

    const expected = kept.filter(Boolean).map((text) => String(text).split(": "));
    const staying = verdicts.filter(({ isKept }) => isKept);
    expect(staying.map(({ tag }) => tag.tag)).toEqual(expected.map(([tag]) => tag));
    for (const [place, [, reason]] of expected.entries()) {
      if (reason) expect(staying[place]?.reasons.join(", ")).toBe(reason);
    }
  });

  it("says of what goes why nothing keeps it", () => {
    const keep =
      "{newest: 1, newestversions: 1, pushedwithin: 36h, pulledwithin: 14d, tags: [latest, lts]}";
    const rule = ruleOf(`{repositories: [a], keep: ${keep}}`);

    const verdicts = verdictsOn(tagsIn("a:1 1.0.0:40 2.0.0:50 old:60"), rule, moment);

    expect(
      verdicts.filter(({ isKept }) => !isKept).map(({ tag, reasons }) => [tag.tag, ...reasons]),
    ).toEqual([
      [
        "1.0.0",
        "not among the newest 1 by push",
        "not among the newest 1 versions",
        "older than 36 hours",
        "not pulled for 14 days",
        "does not match latest, lts",
      ],
      [
        "old",
        "not among the newest 1 by push",
        "not a version",
        "older than 36 hours",
        "not pulled for 14 days",
        "does not match latest, lts",
      ],
    ]);
  });

  it("keeps every tag as long as it is not noted what is pulled", () => {
    const rule = ruleOf("{repositories: [a], keep: {pulledwithin: 1d}}");

    const verdicts = verdictsOn(tagsIn("a:900 b:800/700"), rule, {
      nowMs,
      pullsSinceMs: undefined,
    });

    expect(verdicts.every(({ isKept }) => isKept)).toBe(true);
  });

  it("keeps what is immutable, whatever else is said of it", () => {
    const rule = ruleOf("{repositories: [a], keep: {newest: 1}, immutable: ['v*']}");

    const [, second, third] = verdictsOn(tagsIn("a:1 v1:2 b:3"), rule, moment);

    expect(second).toMatchObject({ isKept: true, reasons: ["immutable by v*"] });
    expect(third).toMatchObject({ isKept: false });
  });

  it("removes nothing by a rule that only says what is immutable", () => {
    const rule = ruleOf("{repositories: [a], immutable: ['v*']}");

    expect(verdictsOn(tagsIn("a:900 v1:800"), rule, moment).every(({ isKept }) => isKept)).toBe(
      true,
    );
  });

  it("keeps more when a criterion is added or raised, and never fewer than it says", () => {
    const tag = fc.record({
      tag: fc.constantFrom("v1.0.0", "v1.1.0", "v2.0.0-rc.1", "v2.0.0", "latest", "nightly"),
      days: fc.integer({ min: 0, max: 50 }),
      pulled: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
    });
    const count = fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined });
    const days = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
    const keep = fc.record({ newest: count, newestversions: count, pushed: days, pulled: days });
    const tags = fc.uniqueArray(tag, { selector: ({ tag }) => tag });

    fc.assert(
      fc.property(tags, keep, fc.integer({ min: 1, max: 6 }), (drawn, criteria, newest) => {
        const known = drawn.map(({ tag, days, pulled }) => knownTag(tag, days, pulled));
        const keptBy = (chosen: typeof criteria) =>
          verdictsOn(known, { keep: keepOf(chosen), immutable: undefined }, moment)
            .filter(({ isKept }) => isKept)
            .map(({ tag }) => tag.tag);
        const before = keptBy(criteria);
        const after = keptBy({ ...criteria, newest: Math.max(newest, criteria.newest ?? 0) });

        expect(after).toEqual(expect.arrayContaining(before));
        expect(after.length).toBeGreaterThanOrEqual(Math.min(newest, known.length));
        expect(keptBy({ ...criteria, newest: 6 })).toHaveLength(known.length);
      }),
    );
  });
});

describe("rules", () => {
  it("are looked at in their order, and those of no repository leave it alone", () => {
    const { rules } = optionsOf(
      "rules: [{repositories: [team/*, x], keep: {newest: 1}}, {repositories: ['team/**'], keep: {newest: 2}}]",
    );

    expect(ruleFor(rules, "team/app")?.keep?.newest).toBe(1);
    expect(ruleFor(rules, "x")?.keep?.newest).toBe(1);
    expect(ruleFor(rules, "team/app/cache")?.keep?.newest).toBe(2);
    expect(ruleFor(rules, "other")).toBeUndefined();
  });

  it("say which tags are immutable", () => {
    const { rules } = optionsOf(
      "rules: [{repositories: [a], keep: {newest: 1}}, {repositories: ['*'], immutable: ['v*']}]",
    );

    expect(immutableTagsOf(rules)?.ruleFor("a", "v1")).toBeUndefined();
    expect(immutableTagsOf(rules)?.ruleFor("b", "v1")).toBe("v*");
    expect(immutableTagsOf(rules)?.ruleFor("b", "latest")).toBeUndefined();
    expect(immutableTagsOf([])).toBeUndefined();
  });
});

function tagsIn(text: string): KnownTag[] {
  return text.split(" ").map((word) => {
    const [tag = "", days = "", pulled] = word.split(/[:/]/);
    return knownTag(tag, Number(days), pulled === undefined ? undefined : Number(pulled));
  });
}

/** `days` and `pulled`, as everywhere here, are so many days ago. */
function knownTag(tag: string, days: number, pulled: number | undefined): KnownTag {
  const pulledMs = pulled === undefined ? undefined : nowMs - pulled * dayMs;
  return { tag, digest: digestOf(tag), pushedMs: nowMs - days * dayMs, pulledMs };
}

function keepOf(criteria: {
  newest: number | undefined;
  newestversions: number | undefined;
  pushed: number | undefined;
  pulled: number | undefined;
}) {
  const { newest, newestversions, pushed, pulled } = criteria;
  return {
    ...{ newest, newestversions, tags: undefined },
    pushedwithin: pushed && pushed * dayMs,
    pulledwithin: pulled && pulled * dayMs,
  };
}

function ruleOf(text: string) {
  const [rule] = optionsOf(`rules: [${text}]`).rules;
  if (rule === undefined) throw new Error("no rule");
  return rule;
}

function optionsOf(text: string): RetentionOptions {
  return v.parse(RetentionOptions, readYaml("retention.yml", text).content);
}
