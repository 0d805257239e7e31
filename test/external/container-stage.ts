import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFailed, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { type Running, run, until } from "../../bench/stage.ts";
import type { LedgerState } from "../../src/agent/ledger/ledger.ts";
import { askProxy } from "../../src/agent/proxy/proxy-protocol.ts";
import type { ContainerEngine } from "./container-engine.ts";
import type { Images } from "./container-images.ts";
import { type Load, watchedLoad } from "./container-load.ts";
import { temporaryDirectory } from "./program.ts";

export interface SeenContainer {
  id: string;
  name: string;
  state: string;
  tag: string;
  /** Where its port 8080 is published on this host. */
  published: string | undefined;
}

/** Each look starts two programs. */
const betweenLooksMs = 200;
/** For a machine that does much else. */
const mostMs = 90_000;
/** Such as: what is to come is told, an agent is started, a release is published, and the next agent. */
const stepsTold = 4;
let count = 0;

/** One app of containers: its own repository, directory and port; what runs of it ends with the test. */
export async function openContainerStage(engine: ContainerEngine, images: Images) {
  const directory = await temporaryDirectory("containers");
  const port = await freePort();
  const repository = `app-${process.pid}-${++count}`;
  const url = `http://127.0.0.1:${port}/`;
  const running: Running[] = [];
  const steps: string[] = [];
  const { signal } = new AbortController();
  onTestFailed(() => {
    for (const [number, agent] of running.entries()) console.error(`agent ${number}`, agent.log());
  });
  onTestFinished(async () => {
    for (const agent of running) agent.process.kill("SIGKILL");
    await askProxy(join(directory, ".dewy/proxy.sock"), { do: "end" }, { signal }).catch(() => {});
    const ids = (await listed()).map(({ id }) => id);
    if (ids.length > 0) await engine.run("rm", "--force", ...ids);
  });

  const stage = {
    ...{ directory, port, repository, url, engine, images },

    publish(tag: string, ...rest: [Parameters<Images["publish"]>[2]?]): Promise<string> {
      stage.isAt(`publish ${tag}`);
      return images.publish(repository, tag, ...rest);
    },

    /** What the test does from now on, for a failure to tell of it. */
    isAt(next: string): void {
      steps.push(`${new Date().toISOString().slice(11)} ${next}`);
    },

    /** As people do, with what the app serves on its port. */
    start(options: readonly string[] = [], environment: Record<string, string> = {}): Running {
      return stage.startWith(["-p", `${port}:8080`, ...options], environment);
    },

    startWith(options: readonly string[], environment: Record<string, string> = {}): Running {
      const follow = ["--registry", `img://${images.host}/${repository}`, "-i", "1", "-l", "info"];
      const rest = ["-d", directory, "--runtime", engine.name];
      const agent = run(["container", ...follow, ...rest, ...options], directory, {
        environment: { ...engine.environment, ...environment },
      });
      running.push(agent);
      stage.isAt(`agent ${running.length - 1} is started`);
      return agent;
    },

    /** `v1.0.0` in two replicas. */
    async deployed(options: readonly string[] = []): Promise<Running> {
      await stage.publish("v1.0.0");
      const agent = stage.start(["--replicas", "2", ...options]);
      await stage.committed("v1.0.0");
      await stage.runs("v1.0.0", 2);
      return agent;
    },

    load: (path = ""): Load =>
      watchedLoad(`${url}${path}`, {
        logs: () => running.map(({ log }) => log()),
        step: () => steps.slice(-stepsTold).join(", "),
      }),

    answer: async (path = "") => (await ask(`${url}${path}`)).body,

    serves: (tag: string) =>
      until(`${tag} answers`, async () => (await stage.answer()).startsWith(`${tag} `), mostMs),

    /** All that the app has, whatever their state. */
    containers: listed,

    /** That it has so many, and all of them run `tag`. */
    runs: (tag: string, replicas: number) =>
      until(
        `${replicas} of ${tag} run`,
        async () => {
          const all = await listed();
          return (
            all.length === replicas &&
            all.every((one) => one.tag === tag && one.state === "running")
          );
        },
        mostMs,
      ),

    ledger: async () =>
      JSON.parse(await readFile(join(directory, ".dewy/ledger.json"), "utf8")) as LedgerState,

    committed: (tag: string) =>
      until(`${tag} is committed`, async () => (await stage.ledger()).active?.tag === tag, mostMs),
  };
  return stage;

  async function listed(): Promise<SeenContainer[]> {
    await sleep(betweenLooksMs);
    const filter = `label=dewy.directory=${directory}`;
    const ids = await engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", filter);
    const some = ids.split("\n").filter(Boolean);
    if (some.length === 0) return [];
    return JSON.parse(await engine.run("container", "inspect", ...some)).map(seen);
  }
}

export type ContainerStage = Awaited<ReturnType<typeof openContainerStage>>;

// biome-ignore lint/suspicious/noExplicitAny: what an engine says about a container
function seen({ Id, Name, State, Config, NetworkSettings }: any): SeenContainer {
  const [binding] = NetworkSettings.Ports?.["8080/tcp"] ?? [];
  return {
    ...{ id: Id, name: Name.replace(/^\//, ""), state: State.Status },
    tag: Config.Labels["dewy.version"],
    published: binding?.HostPort,
  };
}
