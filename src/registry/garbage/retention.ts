import { compareVersions, semanticVersions, type Version } from "../../base/version.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImmutableTags } from "../images/immutable-tags.ts";
import { inWords } from "./duration-words.ts";
import type { Keep, RetentionRule, TagPattern } from "./retention-options.ts";

/** What is known of a tag when it is decided about it. */
export interface KnownTag {
  tag: string;
  digest: Digest;
  pushedMs: number;
  /** None when no pull is known of. */
  pulledMs: number | undefined;
}

export interface Verdict {
  tag: KnownTag;
  isKept: boolean;
  /** Everything that keeps it; or, of a tag that goes, why each criterion does not. */
  reasons: string[];
}

export interface Moment {
  nowMs: number;
  /** Since when pulls are noted; `undefined` when they are not. */
  pullsSinceMs: number | undefined;
}

/** What one criterion says of a tag: that it keeps it, or why not. */
type Criterion = (tag: KnownTag) => { isKept: boolean; reason: string };

/** The first rule that applies to `repository`. */
export function ruleFor(
  rules: readonly RetentionRule[],
  repository: string,
): RetentionRule | undefined {
  return rules.find((rule) => rule.appliesTo(repository));
}

/** What the rules say may not be moved or deleted; `undefined` when that is nothing. */
export function immutableTagsOf(rules: readonly RetentionRule[]): ImmutableTags | undefined {
  if (!rules.some(({ immutable }) => immutable !== undefined)) return undefined;
  return {
    ruleFor(repository, tag) {
      return matching(ruleFor(rules, repository)?.immutable ?? [], { tag })?.text;
    },
  };
}

/** Decides about all tags of a repository, by the rule for it; in the order in which they came. */
export function verdictsOn(
  tags: readonly KnownTag[],
  { keep, immutable = [] }: Pick<RetentionRule, "keep" | "immutable">,
  moment: Moment,
): Verdict[] {
  const criteria = keep === undefined ? [] : criteriaOf(keep, tags, moment);
  return tags.map((tag): Verdict => {
    const locked = matching(immutable, tag);
    const answers = criteria.map((criterion) => criterion(tag));
    const keeping = answers.filter(({ isKept }) => isKept).map(({ reason }) => reason);
    if (locked !== undefined) keeping.unshift(`immutable by ${locked.text}`);
    if (keeping.length > 0) return { tag, isKept: true, reasons: keeping };
    const isKept = keep === undefined;
    const reasons = isKept ? ["its rule removes nothing"] : answers.map(({ reason }) => reason);
    return { tag, isKept, reasons };
  });
}

/** The pattern that `tag` matches. */
function matching(
  patterns: readonly TagPattern[],
  { tag }: Pick<KnownTag, "tag">,
): TagPattern | undefined {
  return patterns.find((pattern) => pattern.matches(tag));
}

function criteriaOf(keep: Keep, tags: readonly KnownTag[], moment: Moment): Criterion[] {
  const { newest, newestversions, pushedwithin, pulledwithin, tags: patterns } = keep;
  return [
    ...(newest === undefined ? [] : [amongNewest(newest, tags, moment)]),
    ...(newestversions === undefined ? [] : [amongVersions(newestversions, tags)]),
    ...(pushedwithin === undefined ? [] : [pushedWithin(pushedwithin, moment)]),
    ...(pulledwithin === undefined ? [] : [pulledWithin(pulledwithin, moment)]),
    ...(patterns === undefined ? [] : [named(patterns)]),
  ];
}

/**
 * Tags that were pushed in the same millisecond as the last one that is kept are kept as well. Those
 * whose time is still to come, as a clock was wrong, take the place of no others.
 */
function amongNewest(count: number, tags: readonly KnownTag[], { nowMs }: Moment): Criterion {
  const known = tags.map(({ pushedMs }) => pushedMs).filter((pushedMs) => pushedMs <= nowMs);
  const times = known.sort((one, other) => other - one);
  const oldestMs = times[count - 1] ?? Number.NEGATIVE_INFINITY;
  return ({ pushedMs }) =>
    pushedMs >= oldestMs
      ? { isKept: true, reason: `newest ${count} by push` }
      : { isKept: false, reason: `not among the newest ${count} by push` };
}

/** Otherwise the candidates for a release would push out the releases before it. */
function amongVersions(count: number, tags: readonly KnownTag[]): Criterion {
  const versions = tags.flatMap(({ tag }) => semanticVersions.parse(tag) ?? []);
  const lowest = {
    release: lowestOf(versions.filter((version) => !isPreRelease(version))),
    preRelease: lowestOf(versions.filter(isPreRelease)),
  };
  return ({ tag }) => {
    const version = semanticVersions.parse(tag);
    if (version === undefined) return { isKept: false, reason: "not a version" };
    const isPre = isPreRelease(version);
    const last = isPre ? lowest.preRelease : lowest.release;
    const kind = isPre ? "pre-releases" : "versions";
    return last === undefined || compareVersions(version, last) >= 0
      ? { isKept: true, reason: `newest ${count} ${kind}` }
      : { isKept: false, reason: `not among the newest ${count} ${kind}` };
  };

  function lowestOf(all: Version[]): Version | undefined {
    return all.sort((one, other) => compareVersions(other, one))[count - 1];
  }
}

function pushedWithin(ms: number, { nowMs }: Moment): Criterion {
  return ({ pushedMs }) =>
    nowMs - pushedMs <= ms
      ? { isKept: true, reason: `pushed within ${inWords(ms)}` }
      : { isKept: false, reason: `older than ${inWords(ms)}` };
}

/** What has just been pushed has had no time to be pulled, and of old pulls nothing may be known. */
function pulledWithin(ms: number, { nowMs, pullsSinceMs }: Moment): Criterion {
  return ({ pushedMs, pulledMs }) => {
    if (pulledMs !== undefined && nowMs - pulledMs <= ms) {
      return { isKept: true, reason: `pulled within ${inWords(ms)}` };
    }
    if (nowMs - pushedMs <= ms) return { isKept: true, reason: `pushed within ${inWords(ms)}` };
    if (pullsSinceMs === undefined || nowMs - pullsSinceMs <= ms) {
      return { isKept: true, reason: `pulls are not known of for ${inWords(ms)} yet` };
    }
    return { isKept: false, reason: `not pulled for ${inWords(ms)}` };
  };
}

function named(patterns: readonly TagPattern[]): Criterion {
  return (tag) => {
    const pattern = matching(patterns, tag);
    return pattern === undefined
      ? { isKept: false, reason: `does not match ${patterns.map(({ text }) => text).join(", ")}` }
      : { isKept: true, reason: `matches ${pattern.text}` };
  };
}

function isPreRelease({ preRelease }: Version): boolean {
  return preRelease.length > 0;
}
