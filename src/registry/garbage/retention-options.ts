import * as v from "valibot";
import { YesOrNo } from "../config-values.ts";
import { globPattern, RepositoryGlob } from "../repository-glob.ts";
import { duration } from "./duration-option.ts";

const Count = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(1, "write a number above 0"),
);

/** Tags by their names. */
export interface TagPattern {
  /** As it was written. */
  text: string;
  matches(tag: string): boolean;
}

const TagPattern = v.pipe(
  v.string("write a tag, such as v*, or a /regular expression/"),
  v.rawTransform(({ dataset: { value: text }, addIssue, NEVER }): TagPattern => {
    const pattern = tagPatternOf(text);
    if (pattern !== undefined) return { text, matches: (tag) => pattern.test(tag) };
    addIssue({ message: "write a tag, such as v*, or a /regular expression/" });
    return NEVER;
  }),
);

const TagPatterns = v.pipe(
  v.array(TagPattern, "write a list of tags, such as [latest, v*]"),
  v.minLength(1, "name a tag, such as v*"),
);

const criteria = {
  /** So many tags that were pushed last. */
  newest: v.optional(Count),
  /** So many highest versions; pre-releases are counted by themselves. */
  newestversions: v.optional(Count),
  pushedwithin: v.optional(duration(60_000, "1m")),
  /** A push is a use as well. */
  pulledwithin: v.optional(duration(60_000, "1m")),
  tags: v.optional(TagPatterns),
};

/** What a tag is kept for; one of them is enough. */
const Keep = v.pipe(
  v.strictObject(criteria),
  v.check(
    (keep) => Object.values(keep).some((criterion) => criterion !== undefined),
    `it would remove every tag: say what to keep, by ${Object.keys(criteria).join(", ")}`,
  ),
);
export type Keep = v.InferOutput<typeof Keep>;

const Rule = v.pipe(
  v.strictObject({
    repositories: v.pipe(
      v.array(RepositoryGlob, "write a list of repositories, such as [team/*]"),
      v.minLength(1, "name a repository, such as team/*"),
    ),
    /** Without it, the rule removes nothing. */
    keep: v.optional(Keep),
    /** Tags that may not be moved or deleted, by anybody. */
    immutable: v.optional(TagPatterns),
  }),
  v.check(
    ({ keep, immutable }) => keep !== undefined || immutable !== undefined,
    "say what to keep, or what is immutable",
  ),
  v.transform(({ repositories, ...rule }) => {
    const patterns = repositories.map(globPattern);
    return {
      ...rule,
      appliesTo: (repository: string) => patterns.some((pattern) => pattern.test(repository)),
    };
  }),
);
export type RetentionRule = v.InferOutput<typeof Rule>;

/** `storage.maintenance.retention`, which only this registry knows. */
export const RetentionOptions = v.strictObject({
  /** The part of a repository's tags that one run may remove, from 0 to 1. */
  limit: v.optional(
    v.pipe(
      v.string("write a percentage, such as 20%"),
      v.regex(/^(100|\d{1,2}(\.\d+)?)%$/, "write a percentage, such as 20%"),
      v.transform((text) => Number(text.slice(0, -1)) / 100),
    ),
    "20%",
  ),
  dryrun: v.optional(YesOrNo, false),
  /** The first one that applies to a repository decides about it alone. */
  rules: v.optional(v.array(Rule, "write a list of rules"), []),
});
export type RetentionOptions = v.InferOutput<typeof RetentionOptions>;

/** A tag has no slash, so that one tells an expression from a glob. */
function tagPatternOf(text: string): RegExp | undefined {
  const [, source] = /^\/(.+)\/$/.exec(text) ?? [];
  if (source === undefined) return /^[\w.*-]+$/.test(text) ? globPattern(text) : undefined;
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}
