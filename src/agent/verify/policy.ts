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
}
