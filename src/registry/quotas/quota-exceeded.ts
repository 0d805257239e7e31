import { OciError } from "../../oci/error.ts";

export interface Excess {
  repositories: string;
  size: number;
  used: number;
  /** What was to be added. */
  cost: number;
}

/** What was pushed does not fit into a quota. */
export class QuotaExceeded extends OciError {
  constructor({ repositories, size, used, cost }: Excess) {
    const full = `the quota of ${readable(size)} for ${repositories} has ${readable(used)} in use`;
    const help = "delete images and have garbage collected, or have the quota raised";
    const more = cost > 0 ? `, and this needs ${readable(cost)} more` : "";
    super("DENIED", `${full}${more}: ${help}`, {
      status: 413,
      detail: { repositories, size, used, needed: cost },
    });
  }
}

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

function readable(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(1, bytes)) / 10), units.length - 1);
  const count = bytes / 1024 ** power;
  return `${Number.isInteger(count) ? count : count.toFixed(1)} ${units[power]}`;
}
