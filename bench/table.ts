/** Rows as lines, each column as wide as its longest cell; the first one is flush left. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}

/** How often `theirs` is what ours is. */
export function times(ours: number, theirs: number): string {
  return ours === 0 ? (theirs === 0 ? "1.0" : "∞") : (theirs / ours).toFixed(1);
}
