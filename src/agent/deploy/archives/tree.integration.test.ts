import { mkdir, mkdtemp, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { streamOf } from "../../../base/bytes.ts";
import { removeInPlace } from "../removal.ts";
import { archiveLimits } from "./archive.ts";
import { openTree, type Tree } from "./tree.ts";

const part = fc.constantFrom("a", "b", "c", "..", ".");
const name = fc
  .tuple(fc.constantFrom("", "", "", "/"), fc.array(part, { minLength: 1, maxLength: 4 }))
  .map(([start, parts]) => start + parts.join("/"));

const step = fc.oneof(
  fc.record({ what: fc.constantFrom("directory" as const, "file" as const), name }),
  fc.record({
    what: fc.constantFrom("symbolicLink" as const, "hardLink" as const),
    name,
    to: name,
  }),
);
type Step = { what: "directory" | "file" | "symbolicLink" | "hardLink"; name: string; to?: string };

it("writes nothing outside of the directory, and makes no link that leads there", async () => {
  const parent = await mkdtemp(join(tmpdir(), "dewy-tree-"));
  onTestFinished(() => removeInPlace(parent));
  await writeFile(join(parent, "a"), "outside");
  const { ino } = await stat(join(parent, "a"));
  let run = 0;

  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      run += 1;
      const root = join(parent, `run-${run}`);
      await mkdir(root);
      const tree = openTree(root, archiveLimits, { signal: new AbortController().signal });
      for (const one of steps) await refusedOrDone(tree, one);
      await tree.finish();

      expect(await leaks(root, root, ino)).toEqual([]);
      await removeInPlace(root);
      expect(await readdir(parent)).toEqual(["a"]);
      expect(await readFile(join(parent, "a"), "utf8")).toBe("outside");
    }),
    { numRuns: 150 },
  );
});

/** The order of a hostile archive goes on after a refusal here, so that more is tried. */
async function refusedOrDone(tree: Tree, { what, name: entry, to = "" }: Step): Promise<void> {
  const attributes = { mode: 0o755, modifiedAt: new Date(0) };
  const tries = {
    directory: () => tree.directory(entry, attributes),
    file: () => tree.file(entry, attributes, streamOf(Buffer.from("inside"))),
    symbolicLink: () => tree.symbolicLink(entry, to),
    hardLink: () => tree.hardLink(entry, to),
  };
  await tries[what]().catch((error: unknown) => expect(error).toMatchObject({ code: "REFUSED" }));
}

/** What below `directory` is the file outside, or a link whose text climbs above `root`. */
async function leaks(root: string, directory: string, outside: number): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await leaks(root, path, outside)));
    if (entry.isFile() && (await stat(path)).ino === outside) found.push(path);
    if (!entry.isSymbolicLink()) continue;
    const place = join(directory, await readlink(path));
    if (place !== root && !place.startsWith(root + sep)) found.push(path);
  }
  return found;
}
