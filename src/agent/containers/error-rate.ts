import type { BackendLoad } from "../proxy/data-plane.ts";
import { ProbeError } from "../readiness/probe-error.ts";

/** Fewer failures than this may be chance. */
const fewestFailures = 5;
const toleratedRate = 0.05;

/** How many connections there were, and how many of them failed, of some backends together. */
interface Share {
  total: number;
  failed: number;
}

/**
 * Compares how the proxy fared with new replicas since `before`, with how it fared with the old ones:
 * a database that is down is not the new release's fault.
 *
 * @throws {ProbeError} `WRONG_ANSWER` when the new ones fail more than twice as often
 */
export function compareErrorRates(
  fresh: readonly string[],
  old: readonly string[],
  before: ReadonlyMap<string, BackendLoad>,
  now: ReadonlyMap<string, BackendLoad>,
): void {
  const [ours, theirs] = [fresh, old].map((ids) => shareOf(ids, before, now));
  if (!ours || !theirs || ours.failed < fewestFailures) return;
  const [rate, usual] = [rateOf(ours), rateOf(theirs)];
  if (rate <= Math.max(toleratedRate, usual * 2)) return;
  throw new ProbeError(
    "WRONG_ANSWER",
    `${ours.failed} of ${ours.total} connections to the new replicas failed, and ${theirs.failed} of ${theirs.total} to the old ones`,
  );
}

function shareOf(
  ids: readonly string[],
  before: ReadonlyMap<string, BackendLoad>,
  now: ReadonlyMap<string, BackendLoad>,
): Share {
  const share = { total: 0, failed: 0 };
  for (const id of ids) {
    const [then, load] = [before.get(id), now.get(id)];
    share.total += (load?.total ?? 0) - (then?.total ?? 0);
    share.failed += (load?.failed ?? 0) - (then?.failed ?? 0);
  }
  return share;
}

function rateOf({ total, failed }: Share): number {
  return total === 0 ? 0 : failed / total;
}
