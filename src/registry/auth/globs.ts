/** `*` stands for any letters but `/`, `**` for any at all; all else for itself. */
export function globOf(glob: string): RegExp {
  const source = glob.replace(/\*{2,}|[*.+?^${}()|[\]\\]/g, (found) => {
    if (found === "*") return "[^/]*";
    return found.startsWith("**") ? ".*" : `\\${found}`;
  });
  return new RegExp(`^${source}$`, "s");
}
