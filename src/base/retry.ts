export interface Backoff {
  firstMs: number;
  maximumMs: number;
}

/**
 * How long to wait after `failures` failures in a row: doubling, bounded, with half of it random so
 * that a fleet that failed together does not come back together.
 */
export function backoffMs({ firstMs, maximumMs }: Backoff, failures: number): number {
  const ceiling = Math.min(maximumMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ceiling / 2 + Math.random() * (ceiling / 2);
}
