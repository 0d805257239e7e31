import { pinAt } from "./holds.ts";
import type { DeployedRelease, LedgerState, SignedMark } from "./ledger.ts";

/** So many registries may one directory have followed. */
const mostMarks = 10;

/** The newest release of `registry` that was deployed by its signature. */
export function signedMark(
  { signed }: Readonly<LedgerState>,
  registry: string,
): SignedMark | undefined {
  return signed?.find((mark) => mark.registry === registry);
}

/**
 * Notes that a release was deployed by its signature: nothing older is taken any more. What a person
 * has pinned was their decision, and moves the mark of its registry nowhere.
 */
export function noteSigned(
  state: Readonly<LedgerState>,
  { tag, evidence }: DeployedRelease,
  now: Date,
): LedgerState {
  if (evidence === undefined || evidence.kind === "checksum") return state;
  const { registry, policy, signedAt } = evidence;
  if (pinAt(state, now)?.tag === tag && signedMark(state, registry)) return state;
  const at = now.toISOString();
  // A signer's clock that is ahead must not lock out what is signed after it was set right.
  const time = signedAt !== undefined && signedAt < at ? signedAt : at;
  const mark = { registry, tag, at, policy, ...(signedAt !== undefined && { signedAt: time }) };
  const others = (state.signed ?? []).filter((one) => one.registry !== registry);
  return { ...state, signed: [mark, ...others].slice(0, mostMarks) };
}
