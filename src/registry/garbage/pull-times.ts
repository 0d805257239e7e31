import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";

/** When what a tag means was last pulled, by whatever name. */
export interface PullTimes {
  of(
    what: { repository: string; tag: string; digest: Digest },
    call: Call,
  ): Promise<Date | undefined>;
  /** Since when that is noted; `undefined` when it never was. */
  since(call: Call): Promise<Date | undefined>;
}
