import { DewyError } from "../../base/errors.ts";

/**
 * Why a release is not what the policy demands; the message names what was expected and what was found.
 *
 * `MISSING`: nothing vouches for it. `NOT_YET`: so far, and its files may still be being uploaded.
 * `MISMATCH`: what vouches for it vouches for other bytes. `UNTRUSTED`: a signature is broken, or by
 * nobody who is trusted. `REPLAYED`: it is older than what was verified before. `TOO_OLD`: it was
 * signed too long ago. `UNUSABLE`: this host cannot check it.
 */
export class VerifyError extends DewyError<
  "MISSING" | "NOT_YET" | "MISMATCH" | "UNTRUSTED" | "REPLAYED" | "TOO_OLD" | "UNUSABLE"
> {}
