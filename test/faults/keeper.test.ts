import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, askHalfClosing, startLoad } from "../../bench/load.ts";
import { until } from "../../bench/stage.ts";
import { phases } from "../../src/agent/ledger/ledger.ts";
import { ended, hasEnded, openKeptStage } from "./kept-agents.ts";

describe.skipIf(process.platform !== "linux")(
  "agents on ports that a keeper holds",
  {
    timeout: 400_000,
  },
  () => {
    let host: Awaited<ReturnType<typeof openKeptStage>>;

    beforeEach(async () => {
      host = await openKeptStage();
    });
    afterEach(() => host.stage.close());

    it("fail no request, whether they are told to end, killed, or upgraded", async () => {
      const newer = await host.stage.upgraded("99.0.0");
      let agent = await host.started();
      const load = startLoad({ url: host.app, keepAlive: 4, fresh: 4 });
      const slow = ask(`${host.app}slow?seconds=8`, { timeoutMs: 60_000 });
      const halfClosing = askHalfClosing(`${host.app}slow?seconds=8`);

      await until("the first app answers", async () => load.soFar.answers.size === 1);
      for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
        const before = load.soFar.answers.size;
        agent.process.kill(signal);
        await ended(agent.process);
        agent = await host.started(newer);
        await until("its app answers", async () => load.soFar.answers.size > before);
      }

      const { requests, failures, answers } = await load.stop();
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(500);
      expect(answers.size).toBe(5); // a process each
      expect((await slow).body).toContain("v1.0.0");
      expect(await halfClosing).toContain("v1.0.0");
      expect(agent.log()).toContain("version=99.0.0");
      await until("only the last app is left", async () => (await host.workers()).length === 1);
      await until("only the last keeper is left", async () => (await host.keepers()).length === 1);
    });

    it("replace a keeper that was killed, and are followed on the new one", async () => {
      const agent = await host.started();
      const load = startLoad({ url: host.app, keepAlive: 2, fresh: 2 });
      const [first = 0] = await host.keepers();

      process.kill(first, "SIGKILL");
      await until("there is another keeper", async () => {
        const now = await host.keepers();
        return agent.log().includes("another one") && now.length === 1 && now[0] !== first;
      });
      await until("the first app answers", async () => load.soFar.answers.size === 1);
      await host.killed(agent);
      await host.started();
      await until("the next app answers", async () => load.soFar.answers.size === 2);

      const { failures } = await load.stop();
      expect(failures).toEqual([]);
    });

    it("that are killed with their keeper leave the app serving, until the next one takes the port", async () => {
      const agent = await host.started();
      agent.process.kill("SIGSTOP"); // so that it starts no other keeper
      for (const pid of await host.keepers()) process.kill(pid, "SIGKILL");
      await host.killed(agent);
      const { body } = await ask(host.app);

      await host.started();

      expect(body).toContain("v1.0.0");
      expect((await ask(host.app)).body).not.toBe(body);
      expect((await host.keepers()).length).toBe(1);
    });

    it("end a first release that was killed with its agent before it had proved itself", async () => {
      const options = ["-i", "1", "-l", "info", "--handover", "--health-timeout", "60"];
      const unproved = [...options, "--health-path", "/", "--health-match", "what it never says"];
      const first = host.stage.startAgent(host.port, unproved);
      await until("it answers", async () => (await ask(host.app)).status === 200);
      const [pid = 0] = await host.workers();
      await host.killed(first);

      host.stage.startAgent(host.port, unproved);

      await until("it has ended", async () => !(await host.workers()).includes(pid));
    });

    it("are followed by one without a keeper as well, and the ports are let go of with it", async () => {
      const agent = await host.started();
      const load = startLoad({ url: host.app, keepAlive: 2, fresh: 2 });
      await until("the first app answers", async () => load.soFar.answers.size === 1);
      await host.killed(agent);

      const last = await host.started(undefined, ["-i", "1", "-l", "info"]);
      await until("the next app answers", async () => load.soFar.answers.size === 2);
      const { failures } = await load.stop();
      await until("there is no keeper", async () => (await host.keepers()).length === 0);
      await last.stop();

      expect(failures).toEqual([]);
      await expect(ask(host.app)).rejects.toThrow("ECONNREFUSED");
    });

    it("may be killed at each step of a deployment, and of both kinds of return", async () => {
      const load = await host.loadAfter(await host.started());

      for (const [count, phase] of phases.entries()) {
        await host.stage.push(`v1.${count + 1}.0`);
        await ended(host.agentDyingAt(phase));
        await host.followed(`v1.${count + 1}.0`);
      }
      const newest = `v1.${phases.length}.0`;
      for (const phase of ["switch", "start", "commit", "prune"]) {
        const dying = host.agentDyingAt(phase);
        await until(
          "it is told to go back",
          async () => (await host.told("rollback", "v1.1.0")) || hasEnded(dying),
        );
        await ended(dying);
        await host.followed("v1.1.0", () => host.told("unpin"), newest);
      }
      for (const [count, event] of ["deployment failed", "release quarantined"].entries()) {
        await host.stage.push(`v2.${count}.0`, { "server.js": "process.exit(3);\n" });
        await ended(host.agentDyingAt(event));
        await host.followed(newest);
      }

      const { failures, requests } = await load.stop();
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(500);
    });
  },
);
