import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, askHalfClosing, startLoad } from "../../bench/load.ts";
import {
  built,
  freePort,
  openStage,
  type Running,
  run,
  type Stage,
  until,
} from "../../bench/stage.ts";
import { phases } from "../../src/agent/ledger/ledger.ts";

const options = ["-i", "1", "-l", "info", "--handover"];

describe.skipIf(process.platform !== "linux")(
  "agents on ports that a keeper holds",
  {
    timeout: 400_000,
  },
  () => {
    let stage: Stage;
    let port: number;
    let app: string;

    beforeEach(async () => {
      stage = await openStage();
      port = await freePort();
      app = `http://127.0.0.1:${port}/`;
      await stage.push("v1.0.0");
    });
    afterEach(() => stage.close());

    it("fail no request, whether they are told to end, killed, or upgraded", async () => {
      const newer = await stage.upgraded("99.0.0");
      let agent = await started();
      const load = startLoad({ url: app, keepAlive: 4, fresh: 4 });
      const slow = ask(`${app}slow?seconds=8`, { timeoutMs: 60_000 });
      const halfClosing = askHalfClosing(`${app}slow?seconds=8`);

      for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
        agent.process.kill(signal);
        await ended(agent.process);
        agent = await started(newer);
      }

      const { requests, failures, answers } = await load.stop();
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(500);
      expect(answers.size).toBe(5); // a process each
      expect((await slow).body).toContain("v1.0.0");
      expect(await halfClosing).toContain("v1.0.0");
      expect(agent.log()).toContain("version=99.0.0");
      await until("only the last app is left", async () => (await workers()).length === 1);
      await until("only the last keeper is left", async () => (await keepers(port)).length === 1);
    });

    it("replace a keeper that was killed, and are followed on the new one", async () => {
      const agent = await started();
      const load = startLoad({ url: app, keepAlive: 2, fresh: 2 });
      const [first = 0] = await keepers(port);

      process.kill(first, "SIGKILL");
      await until("there is another keeper", async () => {
        const now = await keepers(port);
        return agent.log().includes("another one") && now.length === 1 && now[0] !== first;
      });
      await killed(agent);
      await started();

      const { failures, answers } = await load.stop();
      expect(failures).toEqual([]);
      expect(answers.size).toBe(2);
    });

    it("that are killed with their keeper leave the app serving, until the next one takes the port", async () => {
      const agent = await started();
      agent.process.kill("SIGSTOP"); // so that it starts no other keeper
      for (const pid of await keepers(port)) process.kill(pid, "SIGKILL");
      await killed(agent);
      const { body } = await ask(app);

      await started();

      expect(body).toContain("v1.0.0");
      expect((await ask(app)).body).not.toBe(body);
      expect((await keepers(port)).length).toBe(1);
    });

    it("are followed by one without a keeper as well, and the ports are let go of with it", async () => {
      const agent = await started();
      const load = startLoad({ url: app, keepAlive: 2, fresh: 2 });
      await killed(agent);

      const last = await started(undefined, ["-i", "1", "-l", "info"]);
      const { failures, answers } = await load.stop();
      await until("there is no keeper", async () => (await keepers(port)).length === 0);
      await last.stop();

      expect(failures).toEqual([]);
      expect(answers.size).toBe(2);
      await expect(ask(app)).rejects.toThrow("ECONNREFUSED");
    });

    it("may be killed at each step of a deployment, and of both kinds of return", async () => {
      const load = await loadAfter(await started());

      for (const [count, phase] of phases.entries()) {
        await stage.push(`v1.${count + 1}.0`);
        await ended(agentDyingAt(phase));
        await followed(`v1.${count + 1}.0`);
      }
      const newest = `v1.${phases.length}.0`;
      for (const phase of ["switch", "start", "commit", "prune"]) {
        const dying = agentDyingAt(phase);
        await until(
          "it is told to go back",
          async () => (await told("rollback", "v1.1.0")) || hasEnded(dying),
        );
        await ended(dying);
        await followed("v1.1.0", () => told("unpin"), newest);
      }
      for (const [count, event] of ["deployment failed", "release quarantined"].entries()) {
        await stage.push(`v2.${count}.0`, { "server.js": "process.exit(3);\n" });
        await ended(agentDyingAt(event));
        await followed(newest);
      }

      const { failures, requests } = await load.stop();
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(500);
    });

    /** An agent whose app is in service, and has joined those that were there before. */
    async function started(program?: string, given = options): Promise<Running> {
      const before = await workers();
      const agent = stage.startAgent(port, given, { program });
      await until("its app is in service", async () => {
        if (hasEnded(agent.process)) throw new Error(agent.log());
        return agent.log().includes("Generation in service");
      });
      await until("its app is recorded", async () => {
        return (await workers()).some((pid) => !before.includes(pid));
      });
      await until("its app answers", async () => (await ask(app)).status === 200);
      return agent;
    }

    /** Load on an app whose agent was killed. */
    async function loadAfter(agent: Running) {
      await isCommitted("v1.0.0");
      await killed(agent);
      return startLoad({ url: app, keepAlive: 2, fresh: 2 });
    }

    /** The next agent commits `tag`, and `newest` after what was done; then it is killed, too. */
    async function followed(
      tag: string,
      work: () => Promise<unknown> = async () => {},
      newest = tag,
    ): Promise<void> {
      const agent = await started();
      await isCommitted(tag);
      await work();
      await isCommitted(newest);
      await answers(newest);
      await killed(agent);
    }

    async function killed({ process: child }: Running): Promise<void> {
      child.kill("SIGKILL");
      await ended(child);
    }

    function agentDyingAt(step: string): ChildProcess {
      const from = `img://${stage.registry}/sample-app`;
      const root = join(stage.directory, "app");
      return spawn(
        process.execPath,
        [built("test/faults/agent.program.js"), step, from, String(port), root, ...command],
        { stdio: "ignore", env: { ...process.env, HANDOVER: "true" } },
      );
    }

    /** Whether the agent has done so; one that is killed meanwhile has not. */
    async function told(...words: string[]): Promise<boolean> {
      const place = ["-d", join(stage.directory, "app")];
      const asking = run([...words, ...place], stage.directory).process;
      await ended(asking);
      return asking.exitCode === 0;
    }

    async function answers(tag: string): Promise<void> {
      await until(`the app answers with ${tag}`, async () => (await ask(app)).body.includes(tag));
    }

    async function isCommitted(tag: string): Promise<void> {
      await until(`${tag} is committed`, async () => (await kept("ledger")).active?.tag === tag);
    }

    async function workers(): Promise<number[]> {
      const { workers = [] } = await kept("workers").catch(() => ({}));
      return workers.map(({ pid }: { pid: number }) => pid);
    }

    async function kept(name: string) {
      const path = join(stage.directory, "app", ".dewy", `${name}.json`);
      return JSON.parse(await readFile(path, "utf8"));
    }
  },
);

const command = [process.execPath, "current/server.js"];

/** The processes that say they keep the port. */
async function keepers(port: number): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  const title = `dewy: keeps port ${port}`;
  return pids.filter((_, index) => lines[index]?.startsWith(title)).map(Number);
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

async function ended(child: ChildProcess): Promise<void> {
  await until("it has ended", async () => hasEnded(child), 60_000);
}
