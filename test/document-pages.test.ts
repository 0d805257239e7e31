import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../src/agent/child-environment.ts";
import { openAgentMetrics } from "../src/agent/telemetry/agent-metrics.ts";
import { readContainerMetrics } from "../src/agent/telemetry/container-metrics.ts";
import { systemClock } from "../src/base/clock.ts";
import type { Metric } from "../src/base/instruments.ts";
import { readProcessMetrics } from "../src/base/process-metrics.ts";
import { prometheusText } from "../src/base/prometheus-text.ts";
import { withoutServiceManager } from "../src/base/systemd-notify.ts";
import { planned } from "../src/cli/main.fake.ts";
import { variableOf } from "../src/cli/options/option.ts";
import { optionNames } from "../src/cli/options/table.ts";
import { allSchemes, opens, pageOf, queryOptionsOf, read, root } from "./document-pages.ts";

const schemes = await allSchemes();
const languages = ["docs", "docs/ja"];
const families = ["registries", "caches", "notifiers"];
const driverPages = families.flatMap((family) =>
  readdirSync(join(root, "docs", family)).map((name) => `${family}/${name}`),
);
const pages = ["agent.md", "architecture.md", "configuration.md", ...driverPages];

describe("the pages of the agent", () => {
  it("are there for every registry, cache and notifier, in both languages, and for nothing else", () => {
    const wanted = new Set(schemes.map(pageOf));

    for (const language of languages) {
      for (const page of wanted) expect(existsSync(join(root, language, page)), page).toBe(true);
    }
    expect(driverPages.toSorted()).toEqual([...wanted].toSorted());
    expect(schemes.length).toBeGreaterThanOrEqual(15);
  });

  it.each(schemes)("name each option in the query of $family $scheme://", async (scheme) => {
    const known = await queryOptionsOf(scheme);

    expect(known.length).toBeGreaterThan(0);
    for (const language of languages) {
      const page = read(join(language, pageOf(scheme)));
      expect(known.filter((option) => !page.includes(`\`${option}\``))).toEqual([]);
      expect(page).toContain(`${scheme.scheme}://`);
    }
  });

  it.each(driverPages)("describe in %s no option that is none", async (page) => {
    const own = schemes.filter((scheme) => pageOf(scheme) === page);
    const known = (await Promise.all(own.map(queryOptionsOf))).flat();

    const [table = ""] = read(`docs/${page}`).match(/\| option \| default[\s\S]*?\n\n/) ?? [];
    const cells = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = ""]) => cell);
    const described = cells.flatMap((cell) => cell.replaceAll("`", "").split(", "));

    expect(described.length).toBeGreaterThan(0);
    expect(described.filter((option) => !known.includes(option))).toEqual([]);
  });

  it.each(pages)("say the same of %s in both languages", (page) => {
    expect(shapeOf(read(`docs/ja/${page}`))).toEqual(shapeOf(read(`docs/${page}`)));
  });

  it.each(["README.md", "docs/agent.md", ...driverPages.map((page) => `docs/${page}`)])(
    "show in %s only commands that are taken",
    async (page) => {
      for (const { words, environment } of commandsIn(read(page))) {
        const { status, noted, plan } = await planned(words, { environment });

        expect({ words, status, noted }).toEqual({ words, status: 0, noted: [] });
        for (const { registry, cache, notifiers } of plan?.apps ?? []) {
          await opens.registries(registry, { GITHUB_TOKEN: "token", ...environment });
          if (cache) await opens.caches(cache, environment);
          for (const notifier of notifiers) await opens.notifiers(notifier, environment);
        }
      }
    },
  );

  it.each(["README.md", "README.ja.md"])("show in %s only URLs that are taken", async (page) => {
    const shown = [...read(page).matchAll(/--(cache|notifier) '?([a-z]+:\/\/[^\s'`]+)/g)];

    expect(shown.length).toBeGreaterThanOrEqual(3);
    for (const [, option, url = ""] of shown) {
      const family = option === "cache" ? "caches" : "notifiers";
      await opens[family](url, { SLACK_TOKEN: "token" });
    }
  });

  it.each(driverPages)("have an example in %s", (page) => {
    expect(commandsIn(read(`docs/${page}`)).length).toBeGreaterThan(0);
  });

  it.each(driverPages)("quote in %s only what the program says", (page) => {
    const [, table = ""] = /\| you read \| do \|\n([\s\S]*?)\n\n/.exec(read(`docs/${page}`)) ?? [];
    const quoted = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]{9,})`/g)].map(([, message = ""]) => message),
    );

    expect(quoted.length).toBeGreaterThan(0);
    expect(quoted.filter((message) => !sayings.some((saying) => says(saying, message)))).toEqual(
      [],
    );
  });

  it.each(languages)("list every metric by both of its names, in %s", async (language) => {
    const counts = () => ({ serving: 0, asked: 0, crashes: 0 });
    const call = { signal: AbortSignal.timeout(10_000) };
    const engine = { name: "docker", variables: {} } as const;
    const nothing = { engine, counts, look: async () => [] };
    const metrics = [
      ...openAgentMetrics(systemClock).read(),
      ...(await readContainerMetrics(new Map([["web", nothing]]), call)),
      ...(await readProcessMetrics(new Date())),
    ];
    const rows = read(join(language, "agent.md")).matchAll(/^\| `([a-z_.]+)` \| `([a-z_]+)` \|/gm);

    const listed = new Map([...rows].map(([, name = "", prometheus = ""]) => [name, prometheus]));

    expect(listed).toEqual(new Map(metrics.map((metric) => [metric.name, prometheusOf(metric)])));
  });

  it.each(languages)("name in %s only what the log says", (language) => {
    const [table = ""] = read(join(language, "agent.md")).match(/\| `msg` \|[\s\S]*?\n\n/) ?? [];
    const rows = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].slice(1);
    const messages = rows.flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message),
    );

    expect(messages.length).toBeGreaterThan(15);
    expect(messages.filter((message) => !sayings.includes(message))).toEqual([]);
  });

  it.each(languages)("list in %s what is scrubbed, and no more", (language) => {
    const section = /--scrub-env`[\s\S]*?\n\n([\s\S]*?)\n\n/.exec(read(join(language, "agent.md")));
    const listed = [...(section?.[1] ?? "").matchAll(/`([A-Z_]+)(\*?)`/g)];
    const isListed = (name: string) =>
      listed.some(([, word = "", star]) => (star ? name.startsWith(word) : name === word));
    const names = new Set([
      ...sources.flatMap((text) => text.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? []),
      ...listed.map(([, word = "", star]) => (star ? `${word}X` : word)),
    ]);
    names.delete("DEWY_APP"); // what the app is told
    const all = Object.fromEntries([...names].map((name) => [name, "value"]));

    const kept = childEnvironment(all, { app: "app", scrub: true });

    const scrubbed = Object.keys(withoutServiceManager(all)).filter((name) => !(name in kept));
    expect(scrubbed.length).toBeGreaterThan(30);
    expect(scrubbed.toSorted()).toEqual([...names].filter(isListed).toSorted());
  });

  it("take no variable of ours for another", () => {
    const known = [...optionNames.map(variableOf), "DEWY_CACHEDIR", "DEWY_APP"];
    const told = ["DEWY_TAG", "DEWY_PREVIOUS_TAG", "DEWY_RELEASE_DIR", "DEWY_PID"];

    for (const page of pages) {
      const named = read(`docs/${page}`).match(/\bDEWY_[A-Z_]*[A-Z]/g) ?? [];
      expect(named.filter((name) => ![...known, ...told].includes(name))).toEqual([]);
    }
  });
});

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => /(?<!\.(?:test|fake|contract))\.ts$/.test(name))
  .map((name) => read(join("src", name)));
/** The sentences in the sources, with what varies in them as `${…}`. */
const sayings = sources
  .flatMap((text) => text.match(/"[^"\n]*"|`[^`\n]*`/g) ?? [])
  .map((literal) => literal.slice(1, -1))
  .filter((saying) => saying.length >= 9);

/** Whether `message` is a part of `saying`, or one that it may come to. */
function says(saying: string, message: string): boolean {
  if (saying.includes(message)) return true;
  const fixed = saying.split(/\$\{[^}]*\}/);
  if (fixed.join("").length < 8) return false;
  const pattern = new RegExp(`^${fixed.map(escaped).join(".*")}`);
  return [`${message}: x`, `x ${message}`, `x: ${message}`].some((text) => pattern.test(text));
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

/** What a translation does not change. */
function shapeOf(text: string) {
  const prose = text.replace(/```[\s\S]*?```/g, "");
  return {
    headings: (prose.match(/^#+ /gm) ?? []).map((mark) => mark.length),
    rows: (prose.match(/^\|.*\|$/gm) ?? []).map((row) => row.match(/(?<!\\)\|/g)?.length),
    links: [...prose.matchAll(/\]\(([^)#]+)/g)]
      .map(([, link = ""]) => link.replace(/^.*\/|\.ja(?=\.md)/g, ""))
      .toSorted(),
    // Comments and the tree of the sources are translated.
    blocks: [...text.matchAll(/```(\w*)\n([\s\S]*?)```/g)].map(([, kind, block = ""]) =>
      kind === "" || kind === "yaml" ? block.split("\n").length : block,
    ),
  };
}

interface ShownCommand {
  words: string[];
  environment: Record<string, string>;
}

/** The lines of a page's shell examples that run the agent, with what was exported above them. */
function commandsIn(page: string): ShownCommand[] {
  return [...page.matchAll(/```(?:sh|ini)\n([\s\S]*?)```/g)].flatMap(([, block = ""]) => {
    const environment: Record<string, string> = {};
    const commands: ShownCommand[] = [];
    for (const line of block.replaceAll("\\\n", "").split("\n")) {
      const [program, ...words] = split(line.replace(/ {2,}#.*$|^ExecStart=\S*\//, ""));
      if (program === "export") {
        for (const word of words) {
          const [name = "", ...value] = word.split("=");
          environment[name] = value.join("=").replace("…", "token");
        }
      }
      if (program === "dewy" && ["server", "assets"].includes(words[0] ?? "")) {
        commands.push({ words, environment });
      }
    }
    return commands;
  });
}

/** As a shell does where there is nothing but words and quotes. */
function split(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, word]) => single ?? double ?? word ?? "",
  );
}

/** By the name in its line of HELP. */
function prometheusOf(metric: Metric): string | undefined {
  const sample = { labels: {}, value: 1, count: 1, sum: 1, buckets: [1] };
  const text = prometheusText([{ ...metric, series: [sample] }], {});
  return /^# HELP (\w+)/.exec(text)?.[1];
}
