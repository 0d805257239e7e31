import type { Clock } from "../../base/clock.ts";
import type { Releases } from "../deploy/releases.ts";
import { pinAt } from "../ledger/holds.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Admission } from "../verify/admission.ts";
import type { Choice } from "./choose.ts";

/**
 * The release that is pinned and not in service, where its directory is still there: a way back must
 * not depend on a registry. In service, it is followed like any other.
 */
export async function pinnedOnDisk(parts: DiskChoiceParts): Promise<Choice | undefined> {
  const { state } = parts.ledger;
  const pin = pinAt(state, parts.clock.now());
  if (!pin || state.active?.tag === pin.tag) return undefined;
  return choiceOnDisk(pin, parts);
}

export interface DiskChoiceParts {
  ledger: Ledger;
  releases: Releases;
  clock: Clock;
  admission: Pick<Admission, "covers">;
}

/** The release of this tag that has its directory. */
export async function choiceOnDisk(
  { tag: wanted, identity: bytes }: { tag: string; identity?: string | undefined },
  { ledger, releases, admission }: DiskChoiceParts,
): Promise<Choice | undefined> {
  const known = ledger.state.releases;
  for (const { tag, identity, digest, artifact: name, directory, evidence } of known) {
    if (tag !== wanted || (bytes ?? identity) !== identity) continue;
    if (!(await releases.isComplete(directory))) continue;
    // Its signature is in the registry: that is asked, where the policy has changed since.
    if (!admission.covers(evidence)) continue;
    const artifact = { name, identity, digest, platform: undefined, sizeBytes: undefined, url: "" };
    const version = { tag, numbers: [], preRelease: [], slot: undefined };
    const release = { tag, artifacts: [artifact], publishedAt: undefined };
    return { tag, version, release, artifact, passedOver: [] };
  }
  return undefined;
}
