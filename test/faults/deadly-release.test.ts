import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, until } from "../../bench/stage.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";
import { ended } from "./kept-agents.ts";

const mostKilled = 3;

/** Waits for the number of an agent, and ends with that. */
const deadly = `
  import { existsSync, readFileSync, unlinkSync } from "node:fs";
  setInterval(() => {
    if (!existsSync("agent.pid")) return;
    const agent = Number(readFileSync("agent.pid", "utf8"));
    unlinkSync("agent.pid");
    process.kill(agent, "SIGKILL");
    process.exit(1);
  }, 20);`;

it("a release that takes its agents down with it is not tried for ever", async () => {
  const stage = await openStage();
  onTestFinished(() => stage.close());
  const root = join(stage.directory, "app");
  const port = await freePort();
  const ledger = async (): Promise<LedgerState> =>
    JSON.parse(await readFile(join(root, ".dewy", "ledger.json"), "utf8"));
  await stage.push("v1.0.0");
  const first = stage.startAgent(port);
  await until("v1.0.0 is committed", async () => (await ledger()).active?.tag === "v1.0.0");
  await first.stop();
  await stage.push("v2.0.0", { "server.js": deadly });

  for (let count = 1; count <= mostKilled; count++) {
    const agent = stage.startAgent(port);
    await until("v2.0.0 is started", async () => {
      const { phase, cutOff = 0 } = (await ledger()).attempt ?? {};
      return phase === "start" && cutOff === count - 1;
    });
    await writeFile(join(root, "pid"), String(agent.process.pid));
    await rename(join(root, "pid"), join(root, "agent.pid"));
    await ended(agent.process);
    expect(agent.process.signalCode).toBe("SIGKILL");
  }
  stage.startAgent(port);

  await until("it is in quarantine", async () => (await ledger()).quarantined !== undefined);
  const reason = "3 agents in a row were killed while v2.0.0 was started";
  expect((await ledger()).quarantined).toMatchObject([{ tag: "v2.0.0", reason, failures: 1 }]);
  const { status, body } = await ask(`http://127.0.0.1:${port}/`);
  expect([status, body]).toEqual([200, expect.stringContaining(" v1.0.0 ")]);
}, 90_000);
