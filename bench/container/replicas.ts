import { join } from "node:path";
import { askProxy } from "../../src/agent/proxy/proxy-protocol.ts";
import { type Running, run, type Stage, until } from "../stage.ts";
import type { Engine } from "./engine.ts";
import { mounts } from "./image.ts";

export const replicas = 3;
export const repository = "app";
const drainSeconds = 30;
/** Of a machine that does much else. */
const mostMs = 120_000;

/** The app of the bench: one agent after the other, and what runs of it. */
export interface Replicas {
  log(): string;
  /** Told to end, or killed; then the next one is started. */
  restart(signal: "SIGTERM" | "SIGKILL", surge: number): Promise<void>;
  /** Kills one that runs `tag`. @returns when, by `Date.now()` */
  killOne(tag: string): Promise<number>;
  /** All replicas run, and all are of `tag`. */
  areAll(tag: string): Promise<void>;
  close(): Promise<void>;
}

/** Two versions of Dewy take turns, so that each restart is an upgrade as well. */
export async function openReplicas(
  stage: Stage,
  engine: Engine,
  port: number,
  surge: number,
): Promise<Replicas> {
  const directory = join(stage.directory, "app");
  const programs = [await stage.upgraded("98.0.0"), await stage.upgraded("99.0.0")];
  let count = 0;
  let agent = start(surge);
  return {
    log: () => agent.log(),

    async restart(signal, next) {
      const { process: child } = agent;
      child.kill(signal);
      await until("the agent has ended", async () => {
        return child.exitCode !== null || child.signalCode !== null;
      });
      agent = start(next);
      await until("its replicas are adopted", async () => /adopted/.test(agent.log()), mostMs);
    },

    async killOne(tag) {
      const ids = await idsOf(tag);
      const victim = ids[Math.floor(Math.random() * ids.length)] ?? "";
      const pid = await engine.docker("inspect", "--format", "{{.State.Pid}}", victim);
      process.kill(Number(pid), "SIGKILL");
      const at = Date.now();
      await until(
        "another one is in its place",
        async () => {
          const now = await idsOf(tag);
          return now.length === replicas && !now.includes(victim);
        },
        mostMs,
      );
      return at;
    },

    areAll: (tag) =>
      until(
        `${replicas} of ${tag} run`,
        async () => {
          return (await idsOf(tag)).length === replicas;
        },
        mostMs,
      ),

    async close() {
      agent.process.kill("SIGKILL");
      const call = { signal: AbortSignal.timeout(10_000) };
      await askProxy(join(directory, ".dewy/proxy.sock"), { do: "end" }, call).catch(() => {});
    },
  };

  function start(surgeNow: number): Running {
    const program = programs[count++ % programs.length];
    const args = [
      ...["container", "--registry", `img://${stage.registry}/${repository}`, "-d", directory],
      ...["-p", `${port}:8080`, "--replicas", String(replicas), "--surge", String(surgeNow)],
      ...["--health-path", "/healthz", "--health-timeout", "15", "--failure-limit", "1"],
      ...["--drain-time", String(drainSeconds), "-i", "1", "-l", "info", "--", ...mounts],
    ];
    return run(args, stage.directory, { program, environment: engine.environment });
  }

  async function idsOf(tag: string): Promise<string[]> {
    const filters = [`label=dewy.directory=${directory}`, `label=dewy.version=${tag}`];
    const args = filters.flatMap((filter) => ["--filter", filter]);
    return (await engine.docker("ps", "--quiet", "--no-trunc", ...args))
      .split("\n")
      .filter(Boolean);
  }
}
