import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, messageOf } from "../../base/errors.ts";
import { graceMs } from "../choose/choose.ts";
import { verifyChecksum } from "./checksum.ts";
import { minisign } from "./minisign.ts";
import type { AskedPolicy, VerifyOptions, VerifyPolicy } from "./policy.ts";
import type { Evidence, Finding, SignatureKind, Subject, Verify, VerifyKey } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

export type { VerifyOptions, VerifyPolicy } from "./policy.ts";
export { type Evidence, sentenceOf } from "./verifier.ts";

/** Every kind of signature, in the order in which they are looked for. */
const kinds: readonly SignatureKind[] = [minisign];

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
  const { keys: written = [] } = options;
  const policy = policyOf(options, inQuery);
  checkCombination(policy, options);
  const keys = await Promise.all(written.map(readKey));
  const signatures = policy === "signature" ? await openKinds(keys) : [];
  const fingerprint = fingerprintOf(policy, keys);

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
    const finding = await verify(subject, call);
    if (finding) return { name, finding };
  }
  throw missing(`signature (${signatures.map(({ name }) => name).join(", ")})`, subject, clock);
}

/** A release is announced before its files are all there; what comes last is often a signature. */
function missing(what: string, { artifact, release, siblings }: Subject, clock: Clock) {
  const { publishedAt, tag } = release;
  const isNew =
    publishedAt !== undefined && clock.now().getTime() - publishedAt.getTime() < graceMs;
  const beside = siblings.names.length === 0 ? "nothing" : siblings.names.slice(0, 10).join(", ");
  const message = `${artifact.name} of ${tag} has no ${what}: beside it there is ${beside}`;
  return new VerifyError(isNew ? "NOT_YET" : "MISSING", message, {
    hint: `publish one with the release, or ask for less by --verify`,
  });
}

/** A registry URL and the options may not contradict each other: one of them was forgotten. */
function policyOf({ policy, keys = [] }: VerifyOptions, inQuery: AskedPolicy | undefined) {
  if (policy !== undefined && inQuery !== undefined && policy !== inQuery) {
    throw new ConfigError(
      `--verify is ${policy}, and the query of --registry has verify=${inQuery}`,
      {
        hint: "leave one of them out",
      },
    );
  }
  return inQuery ?? policy ?? (keys.length > 0 ? "signature" : "auto");
}

function checkCombination(policy: VerifyPolicy, { keys = [], maximumAgeMs }: VerifyOptions): void {
  if (maximumAgeMs !== undefined && policy !== "signature") {
    throw new ConfigError("--verify-max-age: only a signature says when it was made", {
      hint: "give --verify-key, or leave the age out",
    });
  }
  if (policy === "signature" && keys.length === 0) {
    throw new ConfigError("--verify: signature needs somebody to trust", {
      hint: `give --verify-key`,
    });
  }
  if (policy === "checksum" && keys.length > 0) {
    throw new ConfigError("--verify: checksum looks at no signature, and --verify-key is given", {
      hint: "write --verify signature, or leave the key out",
    });
  }
}

async function openKinds(keys: readonly VerifyKey[]): Promise<OpenedKind[]> {
  for (const key of keys) {
    if (kinds.some((kind) => kind.takes(key))) continue;
    const names = kinds.map(({ name }) => name).join(", ");
    throw new ConfigError(`--verify-key: ${key.origin} holds no public key of a known kind`, {
      hint: `name the file of a public key of one of: ${names}`,
    });
  }
  const opened: OpenedKind[] = [];
  for (const { name, takes, open } of kinds) {
    const verify = await open({ keys: keys.filter((key) => takes(key)) });
    if (verify) opened.push({ name, verify });
  }
  return opened;
}

/** Larger than any keyring that is meant for one project. */
const maximumKeyBytes = 1024 * 1024;

async function readKey(written: string): Promise<VerifyKey> {
  if (/^[a-z]+:[^/\\]/.test(written)) return { origin: written, bytes: Buffer.from(written) };
  const path = resolve(written);
  try {
    const bytes = await readFile(path);
    if (bytes.length > 0 && bytes.length <= maximumKeyBytes) return { origin: path, bytes };
  } catch (cause) {
    throw new ConfigError(`--verify-key: ${path} cannot be read (${messageOf(cause)})`, {
      cause,
      hint: "name the file of a public key that the agent may read",
    });
  }
  throw new ConfigError(`--verify-key: ${path} is empty, or too large for a public key`, {
    hint: "name the file of a public key",
  });
}

function fingerprintOf(policy: VerifyPolicy, keys: readonly VerifyKey[]): string {
  const hash = createHash("sha256").update(policy);
  for (const bytes of keys.map((key) => key.bytes.toString("base64")).sort()) {
    hash.update(`\n${bytes}`);
  }
  return `${policy}:${hash.digest("hex").slice(0, 16)}`;
}
