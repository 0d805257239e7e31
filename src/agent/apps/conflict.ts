import { realpathSync } from "node:fs";
import { ConfigError } from "../../base/errors.ts";
import type { AppOptions } from "../app-options.ts";

/**
 * Refuses apps that cannot run beside each other in one process.
 *
 * @throws {ConfigError} naming each two and what both of them want
 */
export function refuseConflicts(apps: readonly AppOptions[]): void {
  const problems = apps.flatMap((app, place) =>
    apps.slice(0, place).flatMap((other) => {
      const wanted = sharedBy(other, app);
      return wanted === undefined ? [] : [`the apps ${other.name} and ${app.name} ${wanted}`];
    }),
  );
  if (problems.length === 0) return;
  throw new ConfigError(problems.join("; "), {
    hint: "give each app a name, a directory and ports of its own",
  });
}

/** Whether `one` must have ended before `other` can run. */
export function clash(one: AppOptions, other: AppOptions): boolean {
  return sharedBy(one, other) !== undefined;
}

function sharedBy(one: AppOptions, other: AppOptions): string | undefined {
  const port = one.ports.find((each) => other.ports.includes(each));
  if (port !== undefined) return `both serve on port ${port}`;
  if (placeOf(one) === placeOf(other)) return `share the directory ${other.directory}`;
  if (one.name === other.name) return "have the same name";
  return undefined;
}

/** The directory as the system knows it; as it is written, as long as it is not there. */
function placeOf({ directory }: AppOptions): string {
  try {
    return realpathSync.native(directory);
  } catch {
    return directory;
  }
}
