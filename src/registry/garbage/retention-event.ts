import type { KnownTag } from "./retention.ts";

/** What a run of the retention rules tells whoever watches it. */
export type RetentionEvent =
  | { is: "kept" | "removed"; repository: string; tag: KnownTag; reasons: readonly string[] }
  /** More would go than may, so that all stay. */
  | { is: "stopped"; repository: string; tags: number; removing: number };

/** What a run came to. */
export interface RetentionTotals {
  kept: number;
  removed: number;
  /** Repositories that were left as they are, because too many of their tags would have gone. */
  stopped: string[];
}
