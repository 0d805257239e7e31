import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openStage, type Running, run, type Stage, until } from "../../bench/stage.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Situation } from "../../src/agent/control/situation.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";
import { describeWith } from "../component.ts";
import { startRedis } from "./redis.ts";

const hostCount = 4;
const soakMs = 2_000;

describe("agents, each a process of its own", { timeout: 300_000 }, () => {
  describeWith("redis-server")("that share a Redis", () => {
    it("roll a good release out, one host first; halt a bad one there; and go on without a dead one", async () => {
      const stage = await openStage();
      onTestFinished(() => stage.close());
      const { port } = await startRedis();
      await stage.push("v1.0.0");
      const hosts = Array.from({ length: hostCount }, (_, index) => openHost(stage, port, index));
      await until("all have their first release", () => all(hosts, "v1.0.0"), 60_000);

      await stage.push("v1.1.0");
      await until("all have the good one", () => all(hosts, "v1.1.0"), 150_000);
      const since = new Map<(typeof hosts)[number], number>();
      for (const host of hosts)
        since.set(host, Date.parse((await host.ledger()).active?.since ?? ""));
      const [first, ...others] = [...since].sort(([, one], [, other]) => one - other);
      for (const [, at] of others) expect(at - (first?.[1] ?? at)).toBeGreaterThanOrEqual(soakMs);

      await stage.push("v1.2.0");
      const bad = async () => {
        const ledgers = await Promise.all(hosts.map((host) => host.ledger()));
        return ledgers.filter(({ quarantined }) => quarantined?.[0]?.tag === "v1.2.0");
      };
      await until("it is bad on one", async () => (await bad()).length > 0, 60_000);
      const halted = async (host: (typeof hosts)[number]) =>
        (await host.why()).includes("v1.2.0 waits: its rollout is halted: it was bad on");
      const isWell = (ledger: LedgerState) => ledger.quarantined === undefined;
      for (const host of hosts) {
        if (!isWell(await host.ledger())) continue;
        await until("the others know", () => halted(host), 60_000);
      }
      expect(await bad()).toHaveLength(1);
      expect(await all(hosts, "v1.1.0")).toBe(true);

      const [dead, ...alive] = hosts;
      dead?.agent.process.kill("SIGKILL");
      await stage.push("v1.3.0");
      await until("the others go on", () => all(alive, "v1.3.0"), 120_000);
      expect((await dead?.ledger())?.active?.tag).toBe("v1.1.0");
    });
  });
});

/** Files are enough here: `v1.2.0` is what the hosts are not well with. */
function openHost(stage: Stage, port: number, index: number) {
  const root = join(stage.directory, `host-${index}`);
  const agent: Running = run(
    [
      ...["assets", "--registry", `img://${stage.registry}/sample-app`, "-d", root, "-i", "1"],
      ...["--cache", `redis://127.0.0.1:${port}`, "--waves", "1,50%,100%", "--wave-timeout", "12s"],
      ...["--wave-soak", `${soakMs / 1000}s`, "--failure-limit", "1", "--health-timeout", "5s"],
      ...["--health-command", 'test "$DEWY_TAG" != v1.2.0'],
    ],
    stage.directory,
  );
  onTestFinished(() => agent.stop().then(() => {}));
  return {
    agent,
    ledger: async (): Promise<LedgerState> =>
      JSON.parse(await readFile(join(root, ".dewy/ledger.json"), "utf8")),
    async why() {
      const call = { signal: AbortSignal.timeout(10_000) };
      const { waiting } = await askAgent(root, "status", {}, Situation, call);
      return waiting ? `${waiting.tag} waits: ${waiting.reason}` : "";
    },
  };
}

async function all(hosts: readonly ReturnType<typeof openHost>[], tag: string): Promise<boolean> {
  const ledgers = await Promise.all(hosts.map((host) => host.ledger()));
  return ledgers.every(({ active }) => active?.tag === tag);
}
