import { realpathSync } from "node:fs";
import { join } from "node:path";

/** Whether a link leads to what it is in: who followed it would not come to an end. */
export function leadsBack(directory: string, name: string): boolean {
  try {
    const target = realpathSync(join(directory, name)).replace(/\/$/, "");
    return `${realpathSync(directory)}/`.startsWith(`${target}/`);
  } catch {
    return false;
  }
}
