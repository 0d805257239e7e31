import * as v from "valibot";

/** `*` stands for any letters but `/`, `**` for any at all. */
export const RepositoryGlob = v.pipe(
  v.string("write a repository, such as team/*"),
  v.regex(/^[a-z0-9._/*-]+$/, "write a repository, such as team/*, in lower case"),
);

/** Matches what `glob` stands for, and all of it. */
export function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*{2,}|[*.]/g, (found) => {
    if (found === ".") return "\\.";
    return found === "*" ? "[^/]*" : ".*";
  });
  return new RegExp(`^${source}$`);
}
