import type { Bytes } from "../../../base/bytes.ts";
import { DewyError } from "../../../base/errors.ts";

/**
 * `DAMAGED`: cut short, or not what it says it is. `REFUSED`: it holds what must not be written
 * here. `TOO_LARGE`: it is over a limit. `DISK_FULL`: there is no room for it.
 */
export class ArchiveError extends DewyError<"DAMAGED" | "REFUSED" | "TOO_LARGE" | "DISK_FULL"> {}

/** How much an archive may become; all of them bounds on what a hostile one can do. */
export interface ArchiveLimits {
  expandedBytes: number;
  /** Expanded bytes for each byte of the archive; not looked at below `ratioFreeBytes`. */
  ratio: number;
  ratioFreeBytes: number;
  entries: number;
  /** Of an entry's name, in bytes of UTF-8. The least PATH_MAX among our systems is 1024. */
  pathBytes: number;
}

const gib = 1024 ** 3;

export const archiveLimits: ArchiveLimits = {
  expandedBytes: 8 * gib,
  ratio: 250,
  ratioFreeBytes: gib / 2,
  entries: 200_000,
  pathBytes: 1024,
};

/** Passes `source` on until it has become more than the archive of `archiveBytes` may. */
export async function* withinLimits(
  source: Bytes,
  limits: ArchiveLimits,
  archiveBytes: number,
): AsyncGenerator<Uint8Array> {
  const count = expansionCounter(limits, archiveBytes);
  for await (const chunk of source) {
    count(chunk.length);
    yield chunk;
  }
}

/** Counts what comes out of an archive. The function it returns throws `TOO_LARGE`. */
export function expansionCounter(
  limits: ArchiveLimits,
  archiveBytes: number,
): (bytes: number) => void {
  const byRatio = Math.max(limits.ratioFreeBytes, archiveBytes * limits.ratio);
  const maximum = Math.min(limits.expandedBytes, byRatio);
  let total = 0;
  return (bytes) => {
    total += bytes;
    if (total <= maximum) return;
    throw new ArchiveError(
      "TOO_LARGE",
      maximum === limits.expandedBytes
        ? `it expands to more than the ${maximum} bytes allowed`
        : `its ${archiveBytes} bytes expand more than ${limits.ratio} times, as only bombs do`,
    );
  };
}
