import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";

const mostRemembered = 10_000;

/** Logs once of each manifest that it is damaged: a fleet may ask for it every few seconds. */
export function damageLog(logger: Logger): (digest: Digest, reason: string) => void {
  const told = new Set<Digest>();
  return (digest, reason) => {
    if (told.has(digest) || told.size >= mostRemembered) return;
    told.add(digest);
    logger.error("a manifest is damaged, and answered as if it were not there", {
      ...{ digest, reason, hint: "push it again, or put its bytes back from a backup" },
    });
  };
}
