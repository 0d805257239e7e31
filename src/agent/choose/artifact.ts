import type { Artifact, Platform, Release } from "../release.ts";
import { isArchive, isDeployable, platformIn, runsOn } from "./platform.ts";

export interface ArtifactRules {
  platform: Platform;
  /** The C library of this host; `gnu` unless told. */
  libc?: "gnu" | "musl" | undefined;
  /** The one file that is wanted, by its exact name. */
  artifact?: string | undefined;
}

/**
 * Picks the file of a release that this host is to run; `undefined` when there is none (yet).
 *
 * A file that names no platform is taken only when no file of the release names one.
 */
export function artifactFor(release: Release, rules: ArtifactRules): Artifact | undefined {
  const { artifacts } = release;
  if (rules.artifact !== undefined) return named(artifacts, rules);
  const candidates = artifacts
    .filter(({ name }) => isDeployable(name))
    .map((artifact) => ({ artifact, says: platformSaid(artifact) }));
  const aware = candidates.filter(({ says }) => says.os ?? says.architecture);
  const fitting = aware.length === 0 ? candidates : aware.filter(({ says }) => fits(says, rules));
  const ranked = fitting.map(({ artifact }) => ({ artifact, rank: rankOf(artifact.name, rules) }));
  ranked.sort((a, b) => compareRanks(a.rank, b.rank) || compareText(a.artifact, b.artifact));
  return ranked[0]?.artifact;
}

/** The same name may stand under several platforms of one release. */
function named(artifacts: readonly Artifact[], { artifact, platform }: ArtifactRules) {
  const same = artifacts.filter(({ name }) => name === artifact);
  return (
    same.find((one) => one.platform && runsOn(one.platform, platform)) ??
    same.find((one) => one.platform === undefined)
  );
}

interface Said {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
}

function platformSaid({ name, platform }: Artifact): Said {
  return platform ?? platformIn(name);
}

/** A name that leaves out the system or the architecture means any, if it has the other right. */
function fits(says: Said, { platform }: ArtifactRules): boolean {
  return runsOn(
    {
      os: says.os ?? platform.os,
      architecture: says.architecture ?? platform.architecture,
      variant: says.variant,
    },
    platform,
  );
}

/** Lower is better, the first difference decides. */
function rankOf(name: string, { libc = "gnu", platform }: ArtifactRules): number[] {
  const says = platformIn(name);
  const libcRank = says.libc === libc ? 0 : says.libc === undefined ? 1 : 2;
  return [
    isArchive(name) ? 0 : 1,
    says.architecture === platform.architecture ? 0 : 1,
    platform.os === "linux" ? libcRank : 0,
    // The newest variant that still runs here.
    says.variant ? -Number(says.variant.replace(/\D/g, "")) : 0,
    says.otherWords,
  ];
}

function compareRanks(a: number[], b: number[]): number {
  const place = a.findIndex((value, index) => value !== b[index]);
  return place < 0 ? 0 : (a[place] ?? 0) - (b[place] ?? 0);
}

function compareText(a: Artifact, b: Artifact): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
