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
export async function pinnedOnDisk({
  ledger,
  releases,
  clock,
  admission,
}: {
  ledger: Ledger;
  releases: Releases;
  clock: Clock;
  admission: Pick<Admission, "covers">;
}): Promise<Choice | undefined> {
  const { state } = ledger;
  const pin = pinAt(state, clock.now());
  if (!pin || state.active?.tag === pin.tag) return undefined;
  for (const { tag, identity, digest, artifact: name, directory, evidence } of state.releases) {
    if (tag !== pin.tag || (pin.identity ?? identity) !== identity) continue;
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
