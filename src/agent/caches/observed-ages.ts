/** How long this process has known the versions that it reads, by a clock that is never set. */
export interface ObservedAges {
  /** At least so long ago `version` was written. */
  of(key: string, version: string): number;
}

/** Entries of registries that are followed no more; the oldest are forgotten. */
const maximumKeys = 1000;

export function observedAges(nowMs: () => number = () => performance.now()): ObservedAges {
  const seen = new Map<string, { version: string; atMs: number }>();

  return {
    of(key, version) {
      const known = seen.get(key);
      if (known?.version === version) return Math.max(0, nowMs() - known.atMs);
      seen.delete(key);
      const [oldest] = seen.keys();
      if (oldest !== undefined && seen.size >= maximumKeys) seen.delete(oldest);
      seen.set(key, { version, atMs: nowMs() });
      return 0;
    },
  };
}
