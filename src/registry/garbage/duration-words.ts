const units = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
] as const;

/** A duration as it is said, in the largest unit that fits: `30 days`, `36 hours`. */
export function inWords(ms: number): string {
  const [unitMs, unit] = units.find(([unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? [1, "ms"];
  const count = ms / unitMs;
  return `${count} ${unit}${count === 1 || unit === "ms" ? "" : "s"}`;
}
