import { ConfigError } from "../../base/errors.ts";
import { semanticVersions } from "../../base/version.ts";
import type { QueryRules } from "../registries/index.ts";
import type { ArtifactRules } from "./artifact.ts";
import { calendarVersions } from "./calendar-versions.ts";
import type { ChoiceRules } from "./choose.ts";
import { readConstraint } from "./constraint.ts";

/** What the command line says about which release to choose. */
export interface ChoiceFlags {
  /** `--slot`: only versions with this build metadata. Empty means every slot. */
  slot?: string | undefined;
  calver?: string | undefined;
  constraint?: string | undefined;
}

interface Given {
  value: string;
  /** For errors. */
  origin: string;
}

/**
 * Joins what the registry URL and the command line say, and checks all of it.
 *
 * @throws {ConfigError} for what cannot be read, and where the two contradict each other
 */
export async function rulesOf(
  query: QueryRules,
  flags: ChoiceFlags,
  host: Pick<ArtifactRules, "platform" | "libc">,
): Promise<ChoiceRules> {
  const calver = agreed("calver", flags.calver, query.calver);
  const constraint = agreed("constraint", flags.constraint, query.constraint);
  if (calver && constraint) {
    throw new ConfigError(
      `${constraint.origin}: a range is one of semantic versions, and ${calver.origin} asks for calendar versions`,
      { hint: "leave one of them out" },
    );
  }
  return {
    ...host,
    preRelease: query.preRelease,
    artifact: query.artifact,
    slot: checkedSlot(flags.slot),
    versioning: calver ? calendarVersions(calver.value, calver.origin) : semanticVersions,
    constraint: constraint && (await readConstraint(constraint.value, constraint.origin)),
  };
}

function agreed(
  name: "calver" | "constraint",
  flag: string | undefined,
  query: string | undefined,
): Given | undefined {
  if (flag !== undefined && query !== undefined && flag !== query) {
    throw new ConfigError(
      `--${name} is ${flag || "(nothing)"}, and the query of --registry has ${name}=${query}`,
      { hint: "leave one of them out" },
    );
  }
  if (query !== undefined) return { value: query, origin: `--registry: ${name}` };
  return flag === undefined ? undefined : { value: flag, origin: `--${name}` };
}

/** One that no version can carry would leave the host without a release, and nobody the wiser. */
function checkedSlot(slot: string | undefined): string | undefined {
  if (!slot) return undefined;
  if (/^[0-9A-Za-z.-]+$/.test(slot)) return slot;
  throw new ConfigError(`--slot: ${slot} cannot be the build metadata of a version`, {
    hint: "write what follows the + in the tag: letters, digits, . and -, such as blue",
  });
}
