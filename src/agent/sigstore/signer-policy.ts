import type { PublicKey } from "./public-key.ts";
import type { KeylessSigner, TrustRoot } from "./trust-root.ts";

/** Who must have signed: the holder of one of these keys, or somebody named by a certificate. */
export type Signers =
  | { kind: "keys"; keys: readonly PublicKey[] }
  | { kind: "identity"; trustRoot: TrustRoot; identity: string; issuer: string };

export interface SignaturePolicy {
  signers: Signers;
  /** What must be attested, by the URI of its kind; without it a signature or provenance will do. */
  predicateType: string | undefined;
}

/** Those that say "this is mine, and to be used", and not only something about it. */
const sufficient: readonly string[] = [
  "https://sigstore.dev/cosign/sign/v1",
  "https://slsa.dev/provenance/v1",
  "https://slsa.dev/provenance/v0.2",
];

/** The short names that cosign has for kinds of attestations. */
const shortNames: Record<string, string> = {
  slsaprovenance: "https://slsa.dev/provenance/v0.2",
  slsaprovenance02: "https://slsa.dev/provenance/v0.2",
  slsaprovenance1: "https://slsa.dev/provenance/v1",
  link: "https://in-toto.io/Link/v1",
  spdx: "https://spdx.dev/Document",
  spdxjson: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
  vuln: "https://cosign.sigstore.dev/attestation/vuln/v1",
  openvex: "https://openvex.dev/ns",
  custom: "https://cosign.sigstore.dev/attestation/v1",
};

export function predicateTypeFor(name: string): string {
  return shortNames[name] ?? name;
}

/** Whether a statement of `type` is one that is demanded; `undefined` stands for a plain signature. */
export function isSufficient(
  type: string | undefined,
  { predicateType }: SignaturePolicy,
): boolean {
  if (predicateType !== undefined) return type === predicateType;
  return type === undefined || sufficient.includes(type);
}

export function demandedOf({ signers, predicateType }: SignaturePolicy): string {
  const what = predicateType === undefined ? "a signature" : `an attestation ${predicateType}`;
  if (signers.kind === "identity") return `${what} of ${signers.identity} (${signers.issuer})`;
  return `${what} by ${signers.keys.map(({ name }) => name).join(" or ")}`;
}

/** Both are compared whole; in what is wanted, `*` stands for anything. */
export function isSigner(
  { identity = "", issuer = "" }: KeylessSigner,
  wanted: { identity: string; issuer: string },
): boolean {
  return matches(wanted.identity, identity) && issuer === wanted.issuer;
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(text);
}
