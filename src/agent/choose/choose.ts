import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import {
  compareVersions,
  semanticVersions,
  type Version,
  type Versioning,
} from "../../base/version.ts";
import { notPinnedReason, phraseOf, pinAt, quarantineReason, skipReason } from "../ledger/holds.ts";
import type { DecisionAboutRelease, LedgerState } from "../ledger/ledger.ts";
import {
  type Artifact,
  type Release,
  type ReleaseRegistry,
  ReleaseRegistryError,
} from "../release.ts";
import { type ArtifactRules, artifactFor } from "./artifact.ts";
import type { Constraint } from "./constraint.ts";

/** Why a release that somebody has pinned is not taken. */
export const notInRegistry = "pinned, and not in the registry";

/** Made by `rulesOf`. */
export interface ChoiceRules extends ArtifactRules {
  preRelease: boolean;
  /** Only versions with this build metadata; every version when there is none. */
  slot?: string | undefined;
  /** How tags are read: as semantic versions unless told. */
  versioning?: Versioning | undefined;
  constraint?: Constraint | undefined;
}

export interface PassedOver {
  tag: string;
  reason: string;
}

/** What to run, and what was newer but could not be taken. */
export interface Choice {
  tag: string;
  version: Version;
  release: Release;
  artifact: Artifact;
  passedOver: PassedOver[];
}

export interface ChoiceParts {
  clock: Clock;
  logger: Logger;
  /** The tags that were warned of; the caller keeps it from poll to poll. */
  warned: Set<string>;
  /** What is in service. */
  activeTag?: () => string | undefined;
  /** What is held: pinned, skipped, in quarantine. */
  holds?: () => Readonly<LedgerState>;
  /** Why the app's group does not let it take this release, which nothing else holds. */
  heldByGroup?: ((tag: string, call: Call) => Promise<string | undefined>) | undefined;
  /** Told each time what was passed over, and why, whatever comes of it. */
  tellPassedOver?: (passedOver: readonly PassedOver[]) => void;
}

/** A release is announced before its files are all there; for so long that is nothing to speak of. */
export const graceMs = 30 * 60_000;
const maximumLookBack = 10;

/**
 * Chooses the newest version that has an artifact for this host and is not held, or the one that is
 * pinned. `undefined` while the only releases there are may still be being uploaded, when nothing but
 * what is held is left, and when the one in service has lost its artifact: whoever replaces a file
 * deletes it first, and an older release must not run for that moment.
 *
 * @throws {ReleaseRegistryError} `NOT_FOUND` when there is no version, or none of the newest ten
 *   has an artifact for us; and what the registry throws
 */
export async function choose(
  registry: ReleaseRegistry,
  rules: ChoiceRules,
  parts: ChoiceParts,
  call: Call,
): Promise<Choice | undefined> {
  const passedOver: PassedOver[] = [];
  try {
    return await chosen(registry, rules, { ...parts, passedOver }, call);
  } finally {
    parts.tellPassedOver?.(passedOver);
  }
}

type ChoosingParts = ChoiceParts & { passedOver: PassedOver[] };

async function chosen(
  registry: ReleaseRegistry,
  rules: ChoiceRules,
  parts: ChoosingParts,
  call: Call,
): Promise<Choice | undefined> {
  const { passedOver } = parts;
  const incomplete: Release[] = [];
  let looked = 0;
  for (const version of candidates(registry, await registry.tags(call), rules, parts)) {
    if (looked === maximumLookBack) break;
    const { tag } = version;
    const release = await registry.release(tag, call);
    const artifact = release && artifactFor(release, rules);
    const hold =
      artifact && (holdOn(tag, artifact, parts) ?? (await parts.heldByGroup?.(tag, call)));
    if (hold !== undefined) {
      passedOver.push({ tag, reason: hold });
      continue;
    }
    if (release && artifact) {
      for (const newer of incomplete) tell(newer, tag, rules, parts);
      return { tag, version, release, artifact, passedOver };
    }
    looked++;
    if (release) incomplete.push(release);
    if (tag === parts.activeTag?.()) return stay(tag, parts);
    passedOver.push({ tag, reason: release ? reasonFor(release, rules) : "no release any more" });
  }
  const [newest] = incomplete;
  if (newest && isInGrace(newest, parts)) {
    parts.logger.debug("release is not complete yet", { tag: newest.tag });
    return undefined;
  }
  if (looked === 0) return undefined;
  throw nothingComplete(registry, passedOver);
}

/** What may be chosen, best first: all but what is skipped, or only what is pinned. */
function candidates(
  registry: ReleaseRegistry,
  tags: readonly string[],
  rules: ChoiceRules,
  parts: ChoosingParts,
): readonly Version[] {
  const { holds, passedOver, clock } = parts;
  const state = holds?.();
  const pin = state && pinAt(state, clock.now());
  if (pin) return pinnedAmong(newestFirst(tags, rules), tags, pin, rules, parts);
  const versions = newestFirst(tags, rules);
  if (versions.length === 0) throw noVersion(registry, tags, rules);
  if (!state) return versions;
  return versions.filter(({ tag }) => {
    const reason = skipReason(state, tag, clock.now());
    if (reason !== undefined) passedOver.push({ tag, reason });
    return reason === undefined;
  });
}

/** Whatever slot or range it is in: it was a person who named it. */
function pinnedAmong(
  versions: readonly Version[],
  tags: readonly string[],
  pin: DecisionAboutRelease,
  { versioning = semanticVersions }: ChoiceRules,
  { passedOver, logger, warned }: ChoosingParts,
): readonly Version[] {
  const [first] = versions;
  if (first && first.tag !== pin.tag) {
    passedOver.push({ tag: first.tag, reason: `${pin.tag} is pinned ${phraseOf(pin)}` });
  }
  if (!tags.includes(pin.tag)) {
    passedOver.push({ tag: pin.tag, reason: notInRegistry });
    if (!warned.has(pin.tag)) logger.warn("the pinned release is not there", { tag: pin.tag });
    warned.add(pin.tag);
    return [];
  }
  const bare = { tag: pin.tag, numbers: [], preRelease: [], slot: undefined };
  return [versioning.parse(pin.tag) ?? bare];
}

function holdOn(
  tag: string,
  { identity }: Artifact,
  { holds, clock }: ChoiceParts,
): string | undefined {
  const state = holds?.();
  if (!state) return undefined;
  const release = { tag, identity };
  return notPinnedReason(state, release, clock.now()) ?? quarantineReason(state, release);
}

function stay(tag: string, { logger, warned }: ChoiceParts): undefined {
  if (warned.has(tag)) return;
  warned.add(tag);
  logger.warn("the release in service has lost its artifact for this host, and stays", { tag });
}

/** Among equals (`v1.0.0+blue`, `1.0.0`) the registry's order decides, as it does in the original. */
function newestFirst(tags: readonly string[], rules: ChoiceRules): Version[] {
  const { versioning = semanticVersions } = rules;
  return tags
    .flatMap((tag) => versioning.parse(tag) ?? [])
    .filter((version) => isAllowed(version, rules))
    .sort((a, b) => compareVersions(b, a));
}

/** Whether a version is one of those that may be chosen. */
export function isAllowed(version: Version, rules: ChoiceRules): boolean {
  const { preRelease, slot, constraint } = rules;
  if (!preRelease && version.preRelease.length > 0) return false;
  return (!slot || version.slot === slot) && (constraint?.allows(version) ?? true);
}

/** Quietly in the grace period; after it once a tag, as a person has to do something then. */
function tell(release: Release, chosen: string, rules: ChoiceRules, parts: ChoiceParts): void {
  const fields = { tag: release.tag, chosen, reason: reasonFor(release, rules) };
  if (isInGrace(release, parts)) {
    parts.logger.debug("newer release is not complete yet", fields);
  } else if (!parts.warned.has(release.tag)) {
    parts.warned.add(release.tag);
    parts.logger.warn("newer release has no artifact for this host", fields);
  }
}

function isInGrace({ publishedAt }: Release, { clock }: ChoiceParts): boolean {
  return publishedAt !== undefined && clock.now().getTime() - publishedAt.getTime() < graceMs;
}

const shownNames = 10;

function reasonFor({ artifacts }: Release, { artifact, platform }: ChoiceRules): string {
  const names = artifacts.map(({ name }) => name);
  const more = names.length > shownNames ? `, and ${names.length - shownNames} more` : "";
  const seen = names.length === 0 ? "no files" : names.slice(0, shownNames).join(", ") + more;
  const { os, architecture, variant } = platform;
  const host = [os, architecture, variant].filter(Boolean).join("/");
  return `no artifact ${artifact === undefined ? "" : `${artifact} `}for ${host} among: ${seen}`;
}

function noVersion(registry: ReleaseRegistry, tags: readonly string[], rules: ChoiceRules) {
  const { preRelease, slot, versioning = semanticVersions, constraint } = rules;
  const words = [
    preRelease ? "version" : "stable version",
    versioning.which,
    constraint && `within ${constraint.text}`,
    slot && `in slot ${slot}`,
  ];
  const [only] = tags;
  const seen = tags.length === 1 ? `: its one tag is ${only}` : ` among its ${tags.length} tags`;
  const message = `${registry.name} has no ${words.filter(Boolean).join(" ")}${seen}`;
  const where = constraint ? `within ${constraint.text}` : `such as ${versioning.example}`;
  const ending = registry.name.startsWith("img://") ? `_${slot}, for +${slot},` : `+${slot}`;
  const publish = `publish a release with a tag ${where}${slot ? ` that ends in ${ending}` : ""}`;
  return new ReleaseRegistryError("NOT_FOUND", message, {
    hint: preRelease ? publish : `${publish}, or add ?pre-release=true to the registry URL`,
  });
}

function nothingComplete(registry: ReleaseRegistry, [newest, ...older]: PassedOver[]) {
  const others = older.length > 0 ? `, nor can the ${older.length} before it` : "";
  const why = `${newest?.tag} cannot be taken: ${newest?.reason}`;
  const message = `${registry.name}: ${why}${others}`;
  return new ReleaseRegistryError("NOT_FOUND", message, {
    hint: "publish a file named for this platform, or name one with ?artifact= in the registry URL",
  });
}
