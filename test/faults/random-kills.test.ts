import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, startLoad } from "../../bench/load.ts";
import { built, openStage, type Running, type Stage, until } from "../../bench/stage.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Outcome } from "../../src/agent/control/control-request.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";

/** `DEWY_FAULT_SECONDS=500` for some 250 kills. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? 20);

const options = [
  ...["-i", "1", "-l", "info", "--handover", "--health-path", "/healthz"],
  ...["--failure-limit", "1", "--crash-limit", "1", "--rollback-hook", "sleep 0.2"],
  ...["--health-timeout", "6s", "--drain-time", "3s", "--min-uptime", "0.2"],
];
const shortestLifeMs = 300;
const longestLifeMs = 5_000;

it.skipIf(process.platform !== "linux")(
  "an app answers, and current is complete, whenever its agent is killed",
  { timeout: (seconds + 200) * 1000 },
  async () => {
    const stage = await openStage();
    onTestFinished(() => stage.close());
    const root = join(stage.directory, "app");
    const port = await freePort();
    const app = `http://127.0.0.1:${port}/`;
    await stage.push("v1.0.0");
    let agent = stage.startAgent(port, options);
    await until("the first release is in service", () => isCommitted(root, "v1.0.0"));
    const load = startLoad({ url: app, keepAlive: 2, fresh: 2, restMs: 5 });
    const over = new AbortController();
    const others = [publishing(stage, over.signal), deciding(root, over.signal)];
    const ended = async () => {
      over.abort();
      await Promise.all(others);
    };
    onTestFinished(ended);
    const killedIn = new Map<string, number>();

    for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; ) {
      await passed(shortestLifeMs + Math.random() * (longestLifeMs - shortestLifeMs));
      await killed(agent);
      const step = await stepIn(root);
      killedIn.set(step, (killedIn.get(step) ?? 0) + 1);
      await isComplete(root);
      const asked = ask(app); // by the next agent's app, where the last one has just crashed
      agent = stage.startAgent(port, options);
      expect((await asked).status).toBe(200);
    }
    await ended();

    await stage.push("v9.0.0");
    await until("nothing is pinned", async () => {
      await told(root, "unpin");
      return (await ledgerIn(root)).pinned === undefined;
    });
    await until("it has followed", () => isCommitted(root, "v9.0.0"), 90_000);
    await until("it answers", async () => (await ask(app)).body.includes(" v9.0.0 "));
    const { failures, requests } = await load.stop();
    console.info({ kills: sum(killedIn), requests, killedIn: Object.fromEntries(killedIn) });
    expect(failures).toEqual([]);
    await isComplete(root);
    const names = await readdir(join(root, "releases"));
    expect(names.filter((name) => name.startsWith("."))).toEqual([]);
    await until("one app is left", async () => (await workersOf(root)).length === 1, 60_000);
  },
);

/** A good release, one that ends at once, one that is never ready, one that crashes in service. */
async function publishing(stage: Stage, signal: AbortSignal): Promise<void> {
  const good = (await readFile(built("examples/sample-app/server.js"), "utf8")).replace(
    /^#!.*/,
    "",
  );
  const begin = "createServer((request, response) => {";
  expect(good).toContain(begin);
  const kinds = [
    undefined,
    "process.exit(3);\n",
    good.replace(begin, `${begin} if (request.url === "/healthz") response.statusCode = 500;`),
    // As if told to end, for a crash fails the requests that it has.
    `${good}\nsetTimeout(() => process.emit("SIGTERM"), 2500);\nprocess.exitCode = 1;\n`,
  ];
  for (let count = 1; !signal.aborted; count++) {
    const source = kinds[count % kinds.length];
    await stage.push(`v1.${count}.0`, source === undefined ? {} : { "server.js": source });
    await passed(2_500);
  }
}

/** Somebody goes back, and follows again. */
async function deciding(root: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await told(root, "rollback");
    await passed(1_000);
    await told(root, "unpin");
    await passed(4_000);
  }
}

/** Where there is an agent that lives long enough. */
async function told(root: string, what: "rollback" | "unpin"): Promise<void> {
  const call = { signal: AbortSignal.timeout(10_000) };
  await askAgent(root, what, { by: "alice" }, Outcome, call).catch(() => {});
}

async function killed({ process: child }: Running): Promise<void> {
  child.kill("SIGKILL");
  await until("it is dead", async () => child.signalCode !== null || child.exitCode !== null);
  expect(child.signalCode).toBe("SIGKILL");
}

/** `current` names a release that has all its files. */
async function isComplete(root: string): Promise<void> {
  const release = join(root, await readlink(join(root, "current")));
  expect((await readdir(release)).sort()).toEqual(["VERSION", "package.json", "server.js"]);
  expect(await readFile(join(release, "VERSION"), "utf8")).toMatch(/^v\d+\.\d+\.0\n$/);
}

/** Where the ledger says that the agent was. */
async function stepIn(root: string): Promise<string> {
  const { attempt, untoldReturn, untold } = await ledgerIn(root);
  if (untoldReturn) return "taking back";
  if (attempt && !attempt.retryAt) {
    return attempt.by?.kind === "person" ? `rollback, ${attempt.phase}` : attempt.phase;
  }
  return untold ? "telling" : "between deployments";
}

async function isCommitted(root: string, tag: string): Promise<boolean> {
  const { active, attempt } = await ledgerIn(root);
  return active?.tag === tag && attempt === undefined;
}

async function ledgerIn(root: string): Promise<LedgerState> {
  return JSON.parse(await readFile(join(root, ".dewy/ledger.json"), "utf8"));
}

async function workersOf(root: string): Promise<unknown[]> {
  return JSON.parse(await readFile(join(root, ".dewy/workers.json"), "utf8")).workers;
}

const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const sum = (counts: ReadonlyMap<string, number>) =>
  [...counts.values()].reduce((one, other) => one + other, 0);
