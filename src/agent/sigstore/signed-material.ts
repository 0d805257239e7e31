import type { Digest } from "../../oci/digest.ts";

/** What lies beside a signature of cosign's older forms, and makes it a keyless one. */
export interface SignerPapers {
  /** PEM. */
  certificate?: string | undefined;
  /** What Rekor promised, as cosign writes it: JSON with `SignedEntryTimestamp` and `Payload`. */
  logEntry?: string | undefined;
  /** A timestamp by RFC 3161, as cosign writes it: JSON with `SignedRFC3161Timestamp`. */
  timestamp?: string | undefined;
}

interface Found {
  /** For people: where it was found. */
  place: string;
  /** What it was attached to, whose digest stands for the artifact's: a manifest that names it. */
  attachedTo?: Digest | undefined;
  papers: SignerPapers;
}

/** Something signed about an artifact, as it was found: nothing of it has been checked. */
export type SignedMaterial =
  /** A signature in base64 over a payload that names the digest of an image ("simple signing"). */
  | (Found & { form: "simple-signing"; payload: Uint8Array; signature: string })
  /** A DSSE envelope in JSON, with a statement in the words of in-toto. */
  | (Found & { form: "envelope"; text: string })
  /** Sigstore's bundle in JSON, of any version, or the one that `cosign sign-blob` wrote before. */
  | (Found & { form: "bundle"; text: string })
  /** A signature in base64 over the artifact's own bytes. */
  | (Found & { form: "detached"; signature: string });

/** Why a signature does not count. Never an error of its own: another one may. */
export class SignatureRefusal extends Error {
  override readonly name = "SignatureRefusal";
  /** There is nothing wrong with it, only that it is not what is demanded. */
  readonly isAside: boolean;

  constructor(
    message: string,
    { isAside = false, ...options }: ErrorOptions & { isAside?: boolean } = {},
  ) {
    super(message, options);
    this.isAside = isAside;
  }
}
