import { ConfigError } from "../../base/errors.ts";
import { compareVersions, semanticVersions, type Version } from "../../base/version.ts";

/** A range of versions, none outside of which is chosen. */
export interface Constraint {
  /** As it was written, for errors. */
  text: string;
  allows(version: Version): boolean;
}

interface Bound {
  operator: string;
  version: Version;
}

/**
 * Reads a range as npm writes them: `^1.2`, `~1.2.3`, `>=1.2 <2`, `1.x`, `1.2.3 - 2.3`, `1 || 3`;
 * commas stand for spaces.
 *
 * Whether pre-releases count at all is not the range's business but that of `pre-release`. Where
 * they do, one is in the range when it is by its order: `>=1.2` holds 1.3.0-rc.1 and 2.0.0-rc.1, and
 * as it leaves out the patch number 1.2.0-rc.1 too, as does `1.2.0 - 2`; `>=1.2.0` does not hold
 * 1.2.0-rc.1; `^1.2` and `<2` hold no pre-release of 2.0.0. Slots do not count. Numbers in the range have sixteen digits at
 * the most, those in tags any.
 *
 * @param origin for errors: where the range was given, such as `--constraint`
 * @throws {ConfigError}
 */
export async function readConstraint(text: string, origin: string): Promise<Constraint> {
  const alternatives = await boundsIn(text, origin);
  return {
    text,
    allows: (version) =>
      alternatives.some((bounds) => bounds.every((bound) => isWithin(version, bound))),
  };
}

/** The package knows the grammar; the order is our own, which has no largest number. */
async function boundsIn(text: string, origin: string): Promise<Bound[][]> {
  const { default: Range } = await import("semver/classes/range.js");
  try {
    if (text.trim() === "") throw new Error("(nothing)");
    const { set } = new Range(text.replaceAll(",", " "), { includePrerelease: true });
    return set.map((comparators) =>
      comparators.flatMap(({ operator, semver: { raw } }) => {
        const version = semanticVersions.parse(raw ?? "");
        return version ? [{ operator, version }] : []; // `*` has no bound
      }),
    );
  } catch (cause) {
    throw new ConfigError(`${origin}: ${text.trim() || "(nothing)"} is not a range of versions`, {
      cause,
      hint: "write it as ^1.2, ~1.2.3, 1.x, 1.2 - 1.4, or >=1.2 <2",
    });
  }
}

function isWithin(version: Version, { operator, version: bound }: Bound): boolean {
  const order = compareVersions(version, bound);
  if (operator === ">") return order > 0;
  if (operator === ">=") return order >= 0;
  if (operator === "<") return order < 0;
  return operator === "<=" ? order <= 0 : order === 0;
}
