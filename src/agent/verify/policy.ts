/** `auto`: a checksum has to be right where there is one. */
export type VerifyPolicy = "auto" | "off" | "checksum" | "signature";
export const verifyPolicies = ["off", "checksum", "signature"] as const;
export type AskedPolicy = (typeof verifyPolicies)[number];

/** What the options say about verifying. */
export interface VerifyOptions {
  /** What is said nowhere is `signature` where somebody is trusted, and `auto` else. */
  policy?: AskedPolicy | undefined;
  /** Paths of key files, or keys as `minisign:RWQ…`. */
  keys?: readonly string[] | undefined;
  /** The longest time between a signature and its deployment. */
  maximumAgeMs?: number | undefined;
  /** Whom a certificate has to name; `*` stands for anything. Only together with the next two. */
  identity?: string | undefined;
  /** Who has to have vouched for that name: the URL of an OpenID Connect provider. */
  issuer?: string | undefined;
  /** Path of Sigstore's `trusted_root.json`. */
  trustRoot?: string | undefined;
  /** The kind of attestation that is demanded. */
  predicateType?: string | undefined;
}
