import { realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { ConfigError } from "../../base/errors.ts";
import type { AppOptions } from "../app-options.ts";

/**
 * Refuses apps that cannot run beside each other in one process.
 *
 * @throws {ConfigError} naming each app with the first that wants the same, and what both of them want
 */
export function refuseConflicts(apps: readonly AppOptions[]): void {
  const claims = apps.map(claimOf);
  const first = new Map<string, Claim>();
  const problems = claims.flatMap((claim) => {
    const others = new Set(claim.refuses.flatMap((name) => first.get(name) ?? []));
    for (const name of claim.takes) if (!first.has(name)) first.set(name, claim);
    return [...others].map(
      (other) =>
        `the apps ${other.app.name} and ${claim.app.name} ${sharedBy(other.app, claim.app)}`,
    );
  });
  if (problems.length === 0) return;
  throw new ConfigError(problems.join("; "), {
    hint: "give each app a name, a directory and ports of its own",
  });
}

/** Whether `one` must have ended before `other` can run. */
export function clash(one: AppOptions, other: AppOptions): boolean {
  const taken = new Set(claimOf(one).takes);
  return claimOf(other).refuses.some((name) => taken.has(name));
}

/** Two apps are at odds where one takes what the other refuses: no pair of them is looked at. */
interface Claim {
  app: AppOptions;
  takes: readonly string[];
  refuses: readonly string[];
}

function claimOf(app: AppOptions): Claim {
  const place = placeOf(app);
  const owners = ownersOf(place);
  const both = [...app.ports.map((port) => `port ${port}`), `at ${place}`, `called ${app.name}`];
  return {
    app,
    takes: [...both, ...owners.map((owner) => `in ${owner}`)],
    refuses: [...both, ...owners.map((owner) => `at ${owner}`), `in ${place}`],
  };
}

/** The directories that, were they an app's, would hold this place among its own files. */
function ownersOf(place: string): string[] {
  const owners: string[] = [];
  for (let inner = place; dirname(inner) !== inner; inner = dirname(inner)) {
    if (["releases", "current", ".dewy"].includes(basename(inner))) owners.push(dirname(inner));
  }
  return owners;
}

function sharedBy(one: AppOptions, other: AppOptions): string {
  const port = one.ports.find((each) => other.ports.includes(each));
  if (port !== undefined) return `both serve on port ${port}`;
  const [place, otherPlace] = [placeOf(one), placeOf(other)];
  if (place === otherPlace) return `share the directory ${other.directory}`;
  if (ownersOf(place).includes(otherPlace) || ownersOf(otherPlace).includes(place)) {
    return `cannot lie one inside the files of the other: ${one.directory} and ${other.directory}`;
  }
  return "have the same name";
}

/** The directory as the system knows it; as it is written, as long as it is not there. */
function placeOf({ directory }: AppOptions): string {
  try {
    return realpathSync.native(directory);
  } catch {
    return directory;
  }
}
