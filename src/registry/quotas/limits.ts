import type { ImageStore } from "../images/image-store.ts";
import type { QuotaRule } from "./options.ts";
import type { Quotas, QuotasParts } from "./quotas.ts";

/** The image store within its quotas. */
export interface Limits extends Pick<Quotas, "states" | "recount" | "close"> {
  store: ImageStore;
}

/** Where there are no rules, nothing is loaded for them, and the store stays as it is. */
export async function openLimits(
  rules: readonly QuotaRule[],
  { store, ...parts }: QuotasParts & { store: ImageStore },
): Promise<Limits> {
  if (rules.length === 0) return { store, states: () => [], recount() {}, async close() {} };
  const { openQuotas } = await import("./quotas.ts");
  const { limitedStore } = await import("./limited-store.ts");
  const quotas = openQuotas(rules, parts);
  return { ...quotas, store: limitedStore({ store, storage: parts.storage, quotas }) };
}
