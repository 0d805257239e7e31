import { spawn } from "node:child_process";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { built, openStage, type Stage, until } from "../../bench/stage.ts";
import { phases } from "../../src/agent/ledger/ledger.ts";

const committed: readonly string[] = ["prune"];
/** It has proved itself, and there is nothing better: it stays, beside the one that follows. */
const proved: readonly string[] = ["commit"];

describe("an agent killed by SIGKILL as it enters a phase", { timeout: 60_000 }, () => {
  let stage: Stage;
  let port: number;
  let root: string;

  beforeEach(async () => {
    stage = await openStage();
    port = await freePort();
    root = join(stage.directory, "app");
    await stage.push("v1.0.0");
  });
  afterEach(() => stage.close());

  it.each(phases)("%s, of the first deployment: the next agent deploys", async (phase) => {
    await killedAt(phase);

    const next = stage.startAgent(port);

    await until("the next agent runs the app", async () => next.log().includes("Start server"));
    await answers("v1.0.0");
    await isCommitted("v1.0.0");
    await isTidy(proved.includes(phase) ? 2 : 1);
    await isTold("v1.0.0");
  });

  it.each(phases)(
    "%s, of the second: the app answers without the registry, then the next agent goes on",
    async (phase) => {
      const first = stage.startAgent(port);
      await isCommitted("v1.0.0");
      await first.stop();
      await stage.push("v1.1.0");

      await killedAt(phase);
      await isComplete();
      await answers(/ v1\.[01]\.0 /);

      const alone = stage.startAgent(port, [
        "--registry",
        `img://127.0.0.1:${await freePort()}/app`,
      ]);
      await until("the app is the new agent's", async () => alone.log().includes("Start server"));
      await answers(committed.includes(phase) ? "v1.1.0" : "v1.0.0");
      await isComplete();
      await alone.stop();

      stage.startAgent(port);
      await answers("v1.1.0");
      await isCommitted("v1.1.0");
      await isTidy(2);
    },
  );

  /** Runs an agent that dies as it enters `phase`. */
  async function killedAt(phase: string): Promise<void> {
    const from = `img://${stage.registry}/sample-app`;
    const app = [process.execPath, "current/server.js"];
    const child = spawn(
      process.execPath,
      [built("test/faults/agent.program.js"), phase, from, String(port), root, ...app],
      { stdio: "ignore" },
    );
    const signal = await new Promise((resolve) => child.once("exit", (_status, by) => resolve(by)));
    expect(signal).toBe("SIGKILL");
  }

  async function answers(version: string | RegExp): Promise<void> {
    await until(`the app answers with ${version}`, async () => {
      const { body } = await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 });
      return typeof version === "string" ? body.includes(` ${version} `) : version.test(body);
    });
  }

  /** `current` names a release that has all its files. */
  async function isComplete(): Promise<void> {
    const release = join(root, await readlink(join(root, "current")));
    expect((await readdir(release)).sort()).toEqual(["VERSION", "package.json", "server.js"]);
    expect((await stat(join(release, "server.js"))).mode & 0o777).toBe(0o755);
  }

  /** Nothing half done is left, and the ledger says what is there. */
  async function isTidy(count: number): Promise<void> {
    await isComplete();
    const names = await readdir(join(root, "releases"));
    expect(names.filter((name) => name.startsWith("."))).toEqual([]);
    expect(names.length).toBe(count);
    expect((await readdir(root)).sort()).toEqual([".dewy", "current", "releases"]);
  }

  /** The history has it, once, whichever agent has told. */
  async function isTold(tag: string): Promise<void> {
    await until(`${tag} is in the history`, async () => (await deployed()).length > 0);
    expect(await deployed()).toEqual([tag]);
  }

  async function deployed(): Promise<string[]> {
    const text = await readFile(join(root, ".dewy", "history.jsonl"), "utf8").catch(() => "");
    const entries = text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    return entries.filter(({ event }) => event === "deployed").map(({ tag }) => tag);
  }

  async function isCommitted(tag: string): Promise<void> {
    await until(`${tag} is committed`, async () => (await ledger()).active?.tag === tag);
  }

  async function ledger() {
    return JSON.parse(await readFile(join(root, ".dewy", "ledger.json"), "utf8"));
  }
});
