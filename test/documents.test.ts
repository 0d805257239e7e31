import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

const pages = ["docs/architecture.md", "docs/ja/architecture.md"];

describe("documents", () => {
  it.each(documents)("%s links only to what exists", (name) => {
    const links = [...read(name).matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)].map(
      (match) => match[1] ?? "",
    );

    const broken = links.filter((link) => !existsSync(join(root, dirname(name), link)));
    expect(broken).toEqual([]);
  });

  it.each(pages)("names only files that exist, in %s", (name) => {
    const files = [...read(name).matchAll(/`((?:agent|registry|cli|oci|base)\/[\w./-]+\.ts)`/g)];

    const missing = files
      .map((match) => match[1] ?? "")
      .filter((file) => !existsSync(join(root, "src", file)));
    expect(missing).toEqual([]);
  });

  it.each([
    ["server", "README.md", 4],
    ["server", "README.ja.md", 4],
    ["push", "README.md", 2],
    ["push", "README.ja.md", 2],
  ])("describes every option of dewy %s in %s", (command, name, least) => {
    const source = read(`src/cli/commands/${command}.ts`);
    const flags = /flags: \{([\s\S]*?)\n {2}\},/.exec(source)?.[1] ?? "";
    const names = [...flags.matchAll(/^ {4}(\w+): \{/gm)].map((match) => match[1] ?? "");

    expect(names.length).toBeGreaterThanOrEqual(least);
    const missing = names.map(dashed).filter((flag) => !read(name).includes(`--${flag}`));
    expect(missing).toEqual([]);
  });

  it("has the same headings and commands in both languages", () => {
    const shape = (name: string) => ({
      headings: [...read(name).matchAll(/^#+ /gm)].length,
      commands: [...read(name).matchAll(/^(npm|dewy|export) .*?(?= {2,}#|$)/gm)].map(([line]) =>
        line.trim(),
      ),
    });

    expect(shape("README.ja.md")).toEqual(shape("README.md"));
  });

  it("writes the glossary in order", () => {
    const words = [...read("docs/glossary.md").matchAll(/^\| ([a-z ]+) \|/gm)]
      .map((match) => match[1] ?? "")
      .filter((word) => word !== "word");

    expect(words).toEqual(words.toSorted());
  });
});

const read = (name: string): string => readFileSync(join(root, name), "utf8");

const dashed = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
