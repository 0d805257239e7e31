import { compareVersions, semanticVersions } from "../../base/version.ts";
import { type Choice, type ChoiceRules, isAllowed } from "../choose/choose.ts";
import { pinAt, skipReason } from "../ledger/holds.ts";
import type { LedgerState, SignedMark } from "../ledger/ledger.ts";
import { signedMark } from "../ledger/signed.ts";
import type { Evidence } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

export interface ReplayParts {
  registry: string;
  state: Readonly<LedgerState>;
  rules: ChoiceRules;
  now: Date;
  maximumAgeMs: number | undefined;
}

const hint =
  "find out who took the newer one away; dewy rollback or dewy pin deploys this one all the same";

/** Whether `choice` has a lower version than what was deployed by its signature before. */
export function olderVersion(choice: Choice, parts: ReplayParts): VerifyError | undefined {
  const mark = markFor(choice, parts);
  const { versioning = semanticVersions } = parts.rules;
  const before = mark && versioning.parse(mark.tag);
  if (!mark || !before || compareVersions(choice.version, before) >= 0) return undefined;
  const message = `${parts.registry} offers ${choice.tag} as its newest, and ${mark.tag} was verified at ${mark.at}`;
  return new VerifyError("REPLAYED", message, { hint });
}

/** Whether what vouches for `choice` was signed before what was deployed already, or too long ago. */
export function olderSignature(
  choice: Choice,
  { signedAt, checked, policy }: Evidence,
  parts: ReplayParts,
): VerifyError | undefined {
  const { now, maximumAgeMs, state } = parts;
  if (pinAt(state, now)?.tag === choice.tag) return undefined;
  const mark = markFor(choice, parts);
  const last = mark?.policy === policy ? mark?.signedAt : undefined;
  if (last !== undefined && (signedAt === undefined || signedAt < last)) {
    const time = signedAt === undefined ? "at no known time" : `at ${signedAt}`;
    const message = `${checked} of ${choice.tag} was signed ${time}, and ${mark?.tag}, deployed before, at ${last}`;
    return new VerifyError("REPLAYED", message, { hint });
  }
  if (maximumAgeMs === undefined) return undefined;
  if (signedAt === undefined) {
    const message = `${checked} of ${choice.tag} does not say when it was signed, and --verify-max-age is given`;
    return new VerifyError("TOO_OLD", message, {
      hint: "sign with the time in the trusted comment, or leave --verify-max-age out",
    });
  }
  if (now.getTime() - new Date(signedAt).getTime() <= maximumAgeMs) return undefined;
  const oldest = new Date(now.getTime() - maximumAgeMs).toISOString();
  const message = `${checked} of ${choice.tag} was signed at ${signedAt}, and --verify-max-age takes nothing from before ${oldest}`;
  return new VerifyError("TOO_OLD", message, { hint: "release it again, or sign it anew" });
}

/**
 * What `choice` must not be older than. A person's word counts for more (a pin, a skip), as does what
 * this host has found itself (a quarantine) and what its options no longer allow.
 */
function markFor({ tag }: Choice, parts: ReplayParts): SignedMark | undefined {
  const { registry, state, rules, now } = parts;
  const mark = signedMark(state, registry);
  if (mark === undefined || mark.tag === tag || pinAt(state, now)?.tag === tag) return undefined;
  if (skipReason(state, mark.tag, now) !== undefined) return undefined;
  if (state.quarantined?.some((one) => one.tag === mark.tag)) return undefined;
  const { versioning = semanticVersions } = rules;
  const version = versioning.parse(mark.tag);
  return version && isAllowed(version, rules) ? mark : undefined;
}
