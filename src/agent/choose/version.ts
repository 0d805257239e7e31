/** A tag that reads as a semantic version. */
export interface Version {
  /** The tag itself, with or without its `v`. */
  tag: string;
  numbers: readonly [major: string, minor: string, patch: string];
  /** The dot-separated identifiers of a pre-release; empty for a release. */
  preRelease: readonly string[];
  /** The build metadata, by which deployments in slots (`+blue`, `+green`) are told apart. */
  slot: string | undefined;
}

const pattern =
  /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z.-]+))?$/;

/**
 * Reads a tag by the rules the original has kept: a `v` is optional, leading zeros are let pass, and
 * there are exactly three numbers. `undefined` for any other tag; those are nobody's release.
 */
export function parseVersion(tag: string): Version | undefined {
  const [, major, minor, patch, preRelease, slot] = pattern.exec(tag) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return { tag, numbers: [major, minor, patch], preRelease: preRelease?.split(".") ?? [], slot };
}

/** Negative when `a` comes before `b` (Semantic Versioning 2.0.0, 11). Slots do not count. */
export function compareVersions(a: Version, b: Version): number {
  for (const [place, number] of a.numbers.entries()) {
    const order = compareNumbers(number, b.numbers[place] ?? "0");
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
