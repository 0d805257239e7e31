import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ask, until } from "../../src/agent/supervisor/sample-app.fake.ts";
import { openHost, serving } from "./release-host.ts";

const manyPolls = 1_000;
const crashes = { crashLimit: 2, watchMs: 3_600_000 };
/** Once its deployment is committed, and a moment after that, however slow the machine is. */
const later = (deed: string) => `
  ${serving}
  const { readFileSync } = require("node:fs");
  const waiting = setInterval(() => {
    if (JSON.parse(readFileSync(".dewy/ledger.json", "utf8")).active?.tag !== tag) return;
    clearInterval(waiting);
    setTimeout(() => { ${deed} }, 500);
  }, 50);`;

it.each([
  {
    what: "crashes after the switch",
    deed: 'console.error("no such table"); process.exit(5)',
    how: /ended with status 5$/,
  },
  {
    what: "eats memory",
    deed: `
      const eaten = [];
      for (;;) eaten.push(new Array(100_000).fill({}));`,
    how: /was ended by SIGABRT$/,
  },
])(
  "takes a release back that $what, and tries it no more",
  async ({ deed, how }) => {
    const host = await openHost({
      crashes,
      rollbackHook: 'echo "$DEWY_TAG $DEWY_PREVIOUS_TAG" >back',
    });
    await until(() => host.runs("v1.0.0"));
    const good = (await host.ledger()).active?.directory;

    await host.publish("v2.0.0", later(deed));
    await until(async () => (await host.told()).at(-1)?.[0] === "release quarantined");

    const { active, quarantined } = await host.ledger();
    expect(active).toMatchObject({ tag: "v1.0.0", directory: good });
    expect(quarantined).toMatchObject([
      { tag: "v2.0.0", failures: 2, reason: expect.stringMatching(how) },
    ]);
    expect(await host.told()).toEqual([
      ["deployed", "v1.0.0"],
      ["deployed", "v2.0.0"],
      ["app died", "v2.0.0"],
      ["app died", "v2.0.0"],
      ["rolled back", "v1.0.0"],
      ["release quarantined", "v2.0.0"],
    ]);
    const tail = quarantined?.[0]?.logTail.join("\n");
    expect(tail).toMatch(/no such table|heap out of memory/);
    expect((await host.history())[5]?.logTail?.length).toBeGreaterThan(0);
    expect((await host.history())[4]).toMatchObject({ previousTag: "v2.0.0", by: "crashes" });
    for (let time = 0; time < 20; time++) expect(await ask(host.port())).toBe("v1.0.0");
    const hookWrote = () => readFile(join(host.directory, "back"), "utf8").catch(() => "");
    await until(async () => (await hookWrote()) === "v2.0.0 v1.0.0\n");

    const before = host.polls();
    await until(() => host.polls() > before + manyPolls);
    expect(await host.told()).toHaveLength(6);

    await host.publish("v2.0.1", serving);
    await until(() => host.runs("v2.0.1"));
  },
  60_000,
);

it("leaves a release that crashes where somebody has pinned it", async () => {
  const broken = "broken";
  const host = await openHost({ crashes: { ...crashes, crashLimit: 1 } });
  await until(() => host.runs("v1.0.0"));
  const breaking = `
    ${serving}
    setInterval(() => require("node:fs").existsSync(${JSON.stringify(broken)}) && process.exit(6), 50);`;
  await host.publish("v2.0.0", breaking);
  await until(() => host.runs("v2.0.0"));
  await host.pin("v2.0.0");

  await writeFile(join(host.directory, broken), "");

  const stays = "The release crashes, and stays: it is pinned";
  await until(() => host.logger.messages("warn").includes(stays));
  expect((await host.ledger()).active?.tag).toBe("v2.0.0");
  expect((await host.ledger()).quarantined).toBeUndefined();
}, 60_000);

it("leaves a release that was good for as long as it is watched, and goes back only once", async () => {
  const host = await openHost({ crashes: { crashLimit: 1, watchMs: 3_600_000 } });
  const needsDatabase = `
    ${serving}
    setInterval(() => require("node:fs").existsSync("database-is-down") && process.exit(7), 50);`;
  await host.publish("v1.0.1", needsDatabase);
  await until(() => host.runs("v1.0.1"));
  await host.publish("v2.0.0", needsDatabase);
  await until(() => host.runs("v2.0.0"));

  await writeFile(join(host.directory, "database-is-down"), "");

  const since = async () => {
    const told = (await host.told()).map(([event]) => event);
    return told.includes("rolled back") ? told.slice(told.indexOf("rolled back") + 1) : [];
  };
  await until(async () => (await since()).filter((event) => event === "app died").length >= 2);
  expect((await host.ledger()).active?.tag).toBe("v1.0.1");
  expect(await since()).not.toContain("rolled back");
}, 60_000);
