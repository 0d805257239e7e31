/** A tag that reads as a version. */
export interface Version {
  /** The tag itself, with or without its `v`. */
  tag: string;
  /** From the most to the least significant; of any length, so not as doubles. */
  numbers: readonly string[];
  /** The dot-separated identifiers of a pre-release; empty for a release. */
  preRelease: readonly string[];
  /** The build metadata, by which deployments in slots (`+blue`, `+green`) are told apart. */
  slot: string | undefined;
}

/** A way to read tags: as semantic versions, or as calendar versions of some format. */
export interface Versioning {
  /** For errors, after `version`: which ones it reads. Empty for the usual. */
  which: string;
  /** A tag that it reads. */
  example: string;
  /** `undefined` for a tag that is no such version; those are nobody's release. */
  parse(tag: string): Version | undefined;
}

/** What may follow the numbers, whatever they mean: a pre-release and build metadata. */
export const suffixPattern =
  "(?:-(?<preRelease>[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+(?<slot>[0-9A-Za-z.-]+))?";

const semantic = new RegExp(`^v?(\\d+)\\.(\\d+)\\.(\\d+)${suffixPattern}$`);

/**
 * Semantic versions by the rules the original has kept: a `v` is optional, leading zeros are let
 * pass, and there are exactly three numbers.
 */
export const semanticVersions: Versioning = {
  which: "",
  example: "v1.2.3",
  parse: (tag) => versionIn(tag, semantic),
};

/** Reads `tag` by a pattern that captures the numbers first and ends in `suffixPattern`. */
export function versionIn(tag: string, pattern: RegExp): Version | undefined {
  const match = pattern.exec(tag);
  if (match === null) return undefined;
  const { preRelease, slot } = match.groups ?? {};
  const named = Object.keys(match.groups ?? {}).length;
  const numbers = match.slice(1, match.length - named);
  return { tag, numbers, preRelease: preRelease?.split(".") ?? [], slot };
}

/**
 * Negative when `a` comes before `b` (Semantic Versioning 2.0.0, 11). A number that is missing is 0;
 * slots do not count.
 */
export function compareVersions(a: Omit<Version, "tag">, b: Omit<Version, "tag">): number {
  for (let place = 0; place < Math.max(a.numbers.length, b.numbers.length); place++) {
    const order = compareNumbers(a.numbers[place] ?? "0", b.numbers[place] ?? "0");
    if (order !== 0) return order;
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0) {
    return b.preRelease.length - a.preRelease.length;
  }
  return comparePreReleases(a.preRelease, b.preRelease);
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (const [place, identifier] of a.entries()) {
    const other = b[place];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return compareNumbers(a, b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}

/** Of any length, such as a time stamp with nanoseconds, which a double cannot hold. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : Number(x > y);
}
