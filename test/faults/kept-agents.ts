import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import { ask, startLoad } from "../../bench/load.ts";
import { built, openStage, type Running, run, until } from "../../bench/stage.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";

const agentOptions = ["-i", "1", "-l", "info", "--handover"];
const command = [process.execPath, "current/server.js"];

/** A stage with `v1.0.0` on it, for agents whose port has a keeper. */
export async function openKeptStage() {
  const stage = await openStage();
  const port = await freePort();
  const app = `http://127.0.0.1:${port}/`;
  const root = join(stage.directory, "app");
  await stage.push("v1.0.0");
  return {
    ...{ stage, port, app, root },
    ...{ started, loadAfter, followed, killed, agentDyingAt },
    ...{ told, answers, isCommitted, ledger, workers, keepers },
  };

  /** An agent whose app is in service, and has joined those that were there before. */
  async function started(program?: string, given = agentOptions): Promise<Running> {
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

  /** See `agent.program.ts`. */
  function agentDyingAt(step: string, environment: Record<string, string> = {}): ChildProcess {
    const from = `img://${stage.registry}/sample-app`;
    return spawn(
      process.execPath,
      [built("test/faults/agent.program.js"), step, from, String(port), root, ...command],
      { stdio: "ignore", env: { ...process.env, HANDOVER: "true", ...environment } },
    );
  }

  /** Whether the agent has done so; one that is killed meanwhile has not. */
  async function told(...words: string[]): Promise<boolean> {
    const place = ["-d", root];
    const asking = run([...words, ...place], stage.directory).process;
    await ended(asking);
    return asking.exitCode === 0;
  }

  async function answers(tag: string): Promise<void> {
    await until(`the app answers with ${tag}`, async () => (await ask(app)).body.includes(tag));
  }

  async function isCommitted(tag: string): Promise<void> {
    await until(`${tag} is committed`, async () => (await ledger()).active?.tag === tag);
  }

  async function workers(): Promise<number[]> {
    const { workers = [] } = await kept("workers").catch(() => ({}));
    return workers.map(({ pid }: { pid: number }) => pid);
  }

  function ledger(): Promise<LedgerState> {
    return kept("ledger");
  }

  async function kept(name: string) {
    return JSON.parse(await readFile(join(root, ".dewy", `${name}.json`), "utf8"));
  }

  /** The processes that say they keep the port. */
  async function keepers(): Promise<number[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
    );
    const title = `dewy: keeps port ${port}`;
    return pids.filter((_, index) => lines[index]?.startsWith(title)).map(Number);
  }
}

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

export async function ended(child: ChildProcess): Promise<void> {
  await until("it has ended", async () => hasEnded(child), 60_000);
}
