import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { planned } from "../src/cli/main.fake.ts";
import { jsonSchema } from "../src/cli/options/json-schema.ts";
import { configurationPage } from "./configuration-page.ts";

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

  it.each(documents)("%s has no two versions of a passage, as a merge leaves them", (name) => {
    expect(read(name)).not.toMatch(/^(<{7}|>{7}) /m);
  });

  it.each(documents)("%s links only to headings that exist", (name) => {
    const links = [...read(name).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)];

    const broken = links.filter(([, page = "", anchor = ""]) => {
      const target = page === "" ? name : join(dirname(name), page);
      return !anchorsIn(read(target)).includes(decodeURIComponent(anchor));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it.each(pages)("names only files that exist, in %s", (name) => {
    const files = [...read(name).matchAll(/`((?:agent|registry|cli|oci|base)\/[\w./-]+\.ts)`/g)];

    const missing = files
      .map((match) => match[1] ?? "")
      .filter((file) => !existsSync(join(root, "src", file)));
    expect(missing).toEqual([]);
  });

  it.each([
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

  // `npm run docs` writes them anew.
  it.each([
    ["docs/configuration.md", () => configurationPage("en")],
    ["docs/ja/configuration.md", () => configurationPage("ja")],
    ["docs/dewy.schema.json", () => `${JSON.stringify(jsonSchema(), undefined, 2)}\n`],
  ])("has %s from the table of options", async (name, made) => {
    await expect(made()).toMatchFileSnapshot(join(root, name));
  });

  it("shows only a dewy.yaml that is right, and only options that exist", async () => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-documents-"));
    const environment = { GITHUB_TOKEN: "token", SLACK_TOKEN: "token" };
    for (const page of ["docs/configuration.md", "docs/ja/configuration.md"]) {
      const examples = [...read(page).matchAll(/```yaml\n([\s\S]*?)```/g)];
      expect(examples.length).toBeGreaterThanOrEqual(2);
      for (const [, text = ""] of examples) {
        writeFileSync(join(directory, "dewy.yaml"), text);
        expect(await planned(["config", "check"], { directory, environment })).toMatchObject({
          noted: [],
        });
      }
    }
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

  it("writes the glossary in order, and of the same words in both languages", () => {
    const words = wordsOf("docs/glossary.md");

    expect(words).toEqual(words.toSorted());
    expect(wordsOf("docs/ja/glossary.md")).toEqual(words);
  });
});

const read = (name: string): string => readFileSync(join(root, name), "utf8");

const wordsOf = (glossary: string): string[] =>
  [...read(glossary).matchAll(/^\| ([a-z -]+) \|/gm)]
    .map(([, word = ""]) => word)
    .filter((word) => word !== "word");

/** As GitHub makes them of headings. */
const anchorsIn = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-"),
  );

const dashed = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
