import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, until } from "../../bench/stage.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";
import { outcomeOf } from "../../src/agent/supervisor/sample-app.fake.ts";
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
  const host = await openHost();
  await host.stage.push("v1.0.0");
  const first = host.startAgent();
  await until("v1.0.0 is committed", async () => (await host.ledger()).active?.tag === "v1.0.0");
  await first.stop();
  await host.stage.push("v2.0.0", { "server.js": deadly });

  await host.killAgents();
  host.startAgent();

  await host.isQuarantined("v2.0.0");
  const { status, body } = await ask(`http://127.0.0.1:${host.port}/`);
  expect([status, body]).toEqual([200, expect.stringContaining(" v1.0.0 ")]);
}, 90_000);

it.each([
  { what: "a first one", options: [] },
  { what: "a first one on ports that a keeper holds", options: ["--handover"] },
])(
  "nor is $what, which no agent starts before it has proved itself",
  async ({ options }) => {
    const host = await openHost(options);
    await host.stage.push("v2.0.0", { "server.js": deadly });

    await host.killAgents();
    const deaf = host.startAgent("--registry", `img://127.0.0.1:${await freePort()}/app`);
    await until("it refuses connections", async () =>
      deaf.log().includes("Connections are refused"),
    );
    expect(await outcomeOf(host.port)).toBe("ECONNREFUSED");
    expect(deaf.log()).not.toContain("Start server");
    await deaf.stop();
    host.startAgent();

    await host.isQuarantined("v2.0.0");
    await until(
      "it refuses connections",
      async () => (await outcomeOf(host.port)) === "ECONNREFUSED",
    );
  },
  90_000,
);

async function openHost(options: readonly string[] = []) {
  const stage = await openStage();
  onTestFinished(() => stage.close());
  const root = join(stage.directory, "app");
  const port = await freePort();
  const ledger = async (): Promise<LedgerState> =>
    JSON.parse(await readFile(join(root, ".dewy", "ledger.json"), "utf8").catch(() => "{}"));
  const startAgent = (...others: string[]) =>
    stage.startAgent(port, ["-i", "1", "-l", "info", ...options, ...others]);
  return { stage, port, ledger, startAgent, killAgents, isQuarantined };

  async function killAgents(): Promise<void> {
    for (let count = 1; count <= mostKilled; count++) {
      const agent = startAgent();
      await until("v2.0.0 is started", async () => {
        const { phase, cutOff = 0 } = (await ledger()).attempt ?? {};
        return phase === "start" && cutOff === count - 1;
      });
      await writeFile(join(root, "pid"), String(agent.process.pid));
      await rename(join(root, "pid"), join(root, "agent.pid"));
      await ended(agent.process);
      expect(agent.process.signalCode).toBe("SIGKILL");
    }
  }

  async function isQuarantined(tag: string): Promise<void> {
    await until("it is in quarantine", async () => (await ledger()).quarantined !== undefined);
    const reason = `${mostKilled} agents in a row were killed while ${tag} was started`;
    expect((await ledger()).quarantined).toMatchObject([{ tag, reason, failures: 1 }]);
  }
}
