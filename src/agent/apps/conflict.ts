import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { ConfigError } from "../../base/errors.ts";
import type { AppOptions } from "../app-options.ts";

/**
 * Refuses apps that cannot run beside each other in one process.
 *
 * @throws {ConfigError} naming each two and what both of them want
 */
export function refuseConflicts(apps: readonly AppOptions[]): void {
  const claims = apps.map(claimOf);
  const problems = claims.flatMap((claim, place) =>
    claims.slice(0, place).flatMap((other) => {
      const wanted = sharedBy(other, claim);
      return wanted === undefined
        ? []
        : [`the apps ${other.app.name} and ${claim.app.name} ${wanted}`];
    }),
  );
  if (problems.length === 0) return;
  throw new ConfigError(problems.join("; "), {
    hint: "give each app a name, a directory and ports of its own",
  });
}

/** Whether `one` must have ended before `other` can run. */
export function clash(one: AppOptions, other: AppOptions): boolean {
  return sharedBy(claimOf(one), claimOf(other)) !== undefined;
}

interface Claim {
  app: AppOptions;
  /** Where it is, asked of the system once and not for each two of the apps. */
  place: string;
}

const claimOf = (app: AppOptions): Claim => ({ app, place: placeOf(app) });

function sharedBy(one: Claim, other: Claim): string | undefined {
  const port = one.app.ports.find((each) => other.app.ports.includes(each));
  if (port !== undefined) return `both serve on port ${port}`;
  if (one.place === other.place) return `share the directory ${other.app.directory}`;
  if (isOwnOf(one, other) || isOwnOf(other, one)) {
    return `cannot lie one inside the files of the other: ${one.app.directory} and ${other.app.directory}`;
  }
  if (one.app.name === other.app.name) return "have the same name";
  return undefined;
}

/** Whether `inner` is where `outer` puts releases, and removes what it does not know. */
function isOwnOf({ place: outer }: Claim, { place: inner }: Claim): boolean {
  const [first = ""] = relative(outer, inner).split(sep);
  return ["releases", "current", ".dewy"].includes(first);
}

/** The directory as the system knows it; as it is written, as long as it is not there. */
function placeOf({ directory }: AppOptions): string {
  try {
    return realpathSync.native(directory);
  } catch {
    return directory;
  }
}
