import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import { graceMs } from "../choose/choose.ts";
import { verifyChecksum } from "./checksum.ts";
import { gpg } from "./gpg.ts";
import { minisign } from "./minisign.ts";
import type { AskedPolicy, VerifyOptions, VerifyPolicy } from "./policy.ts";
import { sigstore } from "./sigstore.ts";
import { fingerprintOf, readTrust } from "./trust.ts";
import type { Evidence, Finding, SignatureKind, Subject, Trust, Verify } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

export type { VerifyOptions, VerifyPolicy } from "./policy.ts";
export { type Evidence, sentenceOf } from "./verifier.ts";

/** Every kind of signature, in the order in which they are looked for. */
const kinds: readonly SignatureKind[] = [minisign, gpg, sigstore];

/** The policy of one app, ready to be applied. */
export interface Verification {
  readonly policy: VerifyPolicy;
  /**
   * Checks a release before anything is made of it. `undefined` where nothing vouches for it, and
   * nothing has to.
   *
   * @throws {VerifyError} naming what was expected and what was found
   */
  verify(subject: Subject, call: Call): Promise<Evidence | undefined>;
  /** The longest time between a signature and its deployment. */
  readonly maximumAgeMs: number | undefined;
  /** Whether a release that was verified so is as good as one that is verified now. */
  covers(evidence: Evidence | undefined): boolean;
}

interface OpenedKind {
  name: string;
  verify: Verify;
}

/**
 * Reads the keys. Nothing is asked of anybody. `inQuery` is what the registry URL says.
 *
 * @throws {ConfigError} for a policy that cannot be meant, and a key that is none
 */
export async function openVerification(
  options: VerifyOptions,
  { inQuery, clock }: { inQuery: AskedPolicy | undefined; clock: Clock },
): Promise<Verification> {
  const policy = policyOf(options, inQuery);
  checkCombination(policy, options);
  const trust = await readTrust(options);
  const signatures = policy === "signature" ? await openKinds(trust) : [];
  const fingerprint = fingerprintOf(policy, trust);

  return {
    policy,
    maximumAgeMs: options.maximumAgeMs,

    async verify(subject, call) {
      if (policy === "off") return undefined;
      const evidence = ({ name, finding }: { name: string; finding: Finding }): Evidence => {
        const { checked, by, signedAt } = finding;
        const signer = { ...(by && { by }), ...(signedAt && { signedAt: signedAt.toISOString() }) };
        const { registry } = subject;
        return { kind: name, checked, ...signer, registry, policy: fingerprint };
      };
      const checksum = await verifyChecksum(subject, call);
      if (policy === "signature") {
        return evidence(await signedBy(signatures, subject, clock, call));
      }
      if (checksum) return evidence({ name: "checksum", finding: checksum });
      if (policy === "checksum") throw missing("checksum", subject, clock);
      return undefined;
    },

    covers(evidence) {
      if (policy === "off" || policy === "auto") return true;
      if (policy === "checksum") return evidence !== undefined;
      return evidence?.policy === fingerprint;
    },
  };
}

/** The first of the kinds that has a signature has to be right; one is enough. */
async function signedBy(
  signatures: readonly OpenedKind[],
  subject: Subject,
  clock: Clock,
  call: Call,
): Promise<{ name: string; finding: Finding }> {
  for (const { name, verify } of signatures) {
    const finding = await verify(subject, call).catch((error) => {
      throw isMissing(error) && isNew(subject, clock) ? notYet(error) : error;
    });
    if (finding) return { name, finding };
  }
  throw missing(`signature (${signatures.map(({ name }) => name).join(", ")})`, subject, clock);
}

/** A release is announced before its files are all there; what comes last is often a signature. */
function missing(what: string, subject: Subject, clock: Clock): VerifyError {
  const { artifact, release, siblings } = subject;
  const { tag } = release;
  const beside = siblings.names.length === 0 ? "nothing" : siblings.names.slice(0, 10).join(", ");
  const message = `${artifact.name} of ${tag} has no ${what}: beside it there is ${beside}`;
  const error = new VerifyError("MISSING", message, {
    hint: `publish one with the release, or ask for less by --verify`,
  });
  return isNew(subject, clock) ? notYet(error) : error;
}

function isNew({ release: { publishedAt } }: Subject, clock: Clock): boolean {
  return publishedAt !== undefined && clock.now().getTime() - publishedAt.getTime() < graceMs;
}

const isMissing = (error: unknown): error is VerifyError =>
  error instanceof VerifyError && error.code === "MISSING";

const notYet = ({ message, hint }: VerifyError) => new VerifyError("NOT_YET", message, { hint });

/** A registry URL and the options may not contradict each other: one of them was forgotten. */
function policyOf(options: VerifyOptions, inQuery: AskedPolicy | undefined) {
  const { policy } = options;
  if (policy !== undefined && inQuery !== undefined && policy !== inQuery) {
    throw new ConfigError(
      `--verify is ${policy}, and the query of --registry has verify=${inQuery}`,
      {
        hint: "leave one of them out",
      },
    );
  }
  return inQuery ?? policy ?? (isTrusting(options) ? "signature" : "auto");
}

function checkCombination(policy: VerifyPolicy, options: VerifyOptions): void {
  if (options.maximumAgeMs !== undefined && policy !== "signature") {
    throw new ConfigError("--verify-max-age: only a signature says when it was made", {
      hint: "give --verify-key or --verify-identity, or leave the age out",
    });
  }
  if (policy === "signature" && !isTrusting(options)) {
    throw new ConfigError("--verify: signature needs somebody to trust", {
      hint: "give --verify-key, or --verify-identity",
    });
  }
  if (policy === "checksum" && isTrusting(options)) {
    const given = options.identity === undefined ? "--verify-key" : "--verify-identity";
    throw new ConfigError(`--verify: checksum looks at no signature, and ${given} is given`, {
      hint: "write --verify signature, or leave it out",
    });
  }
  if (options.predicateType !== undefined && !isTrusting(options)) {
    throw new ConfigError("--verify-predicate: nobody is trusted to attest anything", {
      hint: "give --verify-key, or --verify-identity",
    });
  }
}

const isTrusting = ({ keys = [], identity, issuer, trustRoot }: VerifyOptions): boolean =>
  keys.length > 0 || [identity, issuer, trustRoot].some((one) => one !== undefined);

async function openKinds(trust: Trust): Promise<OpenedKind[]> {
  for (const key of trust.keys) {
    if (kinds.some((kind) => kind.takes(key))) continue;
    const names = kinds.map(({ name }) => name).join(", ");
    throw new ConfigError(`--verify-key: ${key.origin} holds no public key of a known kind`, {
      hint: `name the file of a public key of one of: ${names}`,
    });
  }
  const opened: OpenedKind[] = [];
  for (const { name, takes, open } of kinds) {
    const verify = await open({ ...trust, keys: trust.keys.filter((key) => takes(key)) });
    if (verify) opened.push({ name, verify });
  }
  return opened;
}
