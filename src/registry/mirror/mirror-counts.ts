/** What Distribution tells of its proxy, by the same names (`registry_proxy_…_total`). */
export interface TransferCounts {
  requests: number;
  /** Answered from what was stored. */
  hits: number;
  misses: number;
  /** Bytes that came from other registries. */
  pulledBytes: number;
  /** Bytes that were handed on to clients. */
  pushedBytes: number;
}

export interface MirrorCounts {
  blob: TransferCounts;
  manifest: TransferCounts;
}

export function noCounts(): MirrorCounts {
  const none = { requests: 0, hits: 0, misses: 0, pulledBytes: 0, pushedBytes: 0 };
  return { blob: { ...none }, manifest: { ...none } };
}
