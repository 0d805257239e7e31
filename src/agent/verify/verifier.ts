import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Artifact, Attachment, Release } from "../release.ts";

/** A file on this host, whole and synced, that has not got its final name yet. */
export interface LocalFile {
  path: string;
  /** Of all its bytes; `hexOfFile` makes any other. */
  digest: Digest;
  sizeBytes: number;
}

/** The other files of a release: assets, objects under the same prefix, layers of the same artifact. */
export interface Siblings {
  /** Their names, without that of the artifact. */
  readonly names: readonly string[];
  /** A small file as a whole; `undefined` when there is none of that name. */
  read(name: string, call: Call): Promise<Buffer | undefined>;
  /**
   * What the registry knows about the artifact beside the files of its release: what refers to its
   * manifest in an OCI registry, attestations by its digest on GitHub. Nothing where it knows none.
   */
  attachments(call: Call): AsyncIterable<Attachment>;
}

/** What is to be vouched for. */
export interface Subject {
  /** For errors: where it comes from. */
  registry: string;
  release: Release;
  artifact: Artifact;
  file: LocalFile;
  siblings: Siblings;
}

/** What somebody vouched for, as a kind of verifier has found it. */
export interface Finding {
  /** What was compared with what, as the end of "verified by …": `SHA256SUMS`. */
  checked: string;
  /** The key or the identity that signed; none for a checksum, which anybody can write. */
  by?: string;
  /** When, where the signature itself says so. */
  signedAt?: Date;
}

/**
 * Checks one file in one way.
 *
 * Resolves to `undefined` when the release offers nothing of this kind. What is offered and wrong is
 * thrown, and is never taken for absent. What is read from the registry is bounded.
 *
 * @throws {VerifyError} naming what was expected and what was found
 * @throws {ReleaseRegistryError} when the registry cannot be asked now
 */
export type Verify = (subject: Subject, call: Call) => Promise<Finding | undefined>;

/** A key as an option names it, read already. */
export interface VerifyKey {
  /** As it was written, for errors: a path, or `minisign:RWQ…`. */
  origin: string;
  bytes: Buffer;
}

/** Whom to trust, as the options say it. */
export interface Trust {
  keys: readonly VerifyKey[];
  /** Whom a certificate has to name, and who vouches for certificates: instead of a key. */
  certificate?: { identity: string; issuer: string; trustRoot: VerifyKey } | undefined;
  /** The kind of attestation that is demanded, in place of a signature. */
  predicateType?: string | undefined;
}

/**
 * One kind of signature. To add one: a file with such an object, a line in the table of `index.ts`,
 * its rows in `docs/verification.md` and `docs/ja/verification.md`. What it takes to be trusted beside
 * keys becomes a member of `Trust`, with an option of its own in `cli/options/verify-options.ts`.
 * Where signatures lie beside the artifact or beside its checksum file, `signed-file.ts` finds them.
 */
export interface SignatureKind {
  /** For errors and evidence: `minisign`. */
  name: string;
  /** Whether a key is one of this kind, whatever file it was in. */
  takes(key: VerifyKey): boolean;
  /**
   * `undefined` when nothing in `trust` is of this kind. `trust.keys` holds those it takes.
   *
   * @throws {ConfigError} for what cannot be meant, or cannot be checked on this host
   */
  open(trust: Trust): Promise<Verify | undefined>;
}

/** What a release was verified by: kept in the ledger, and shown. */
export const Evidence = v.object({
  /** `checksum`, or the name of a kind of signature. */
  kind: v.string(),
  checked: v.string(),
  by: v.optional(v.string()),
  signedAt: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  /** Where it was announced. */
  registry: v.string(),
  /** Names the policy it satisfied: another one, or other keys, have another name. */
  policy: v.string(),
});
export type Evidence = v.InferOutput<typeof Evidence>;

/** `minisign of SHA256SUMS, by key 0123…, signed 2026-11-29T06:00:00.000Z` */
export function sentenceOf({ kind, checked, by, signedAt }: Evidence): string {
  const signer = by === undefined ? "" : `, by ${by}`;
  const time = signedAt === undefined ? "" : `, signed ${signedAt}`;
  return `${kind} (${checked})${signer}${time}`;
}
