import { onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { ConfigError } from "../../base/errors.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AppOptions } from "../app-options.ts";
import { runApps } from "./apps.ts";

interface Run {
  app: AppOptions;
  stopping: boolean;
  end(error?: Error): void;
}

export type FakeHost = ReturnType<typeof startFakeApps>;

/** Apps that run until they are told to, and drain until the test says that they have. */
export function startFakeApps(initial: readonly AppOptions[], refused: readonly string[] = []) {
  const runs = new Set<Run>();
  let listener = (_apps: readonly AppOptions[]) => {};
  const host = {
    clock: new FakeClock(),
    logger: new FakeLogger(),
    stop: new AbortController(),
    started: [] as string[],
    /** Names and registries that cannot be meant. */
    refused: new Set(refused),
    ended: false,
    /** The ports that are to stay open for the next app. */
    held: new Set<number>(),
    done: Promise.resolve(),
    reload: (apps: readonly AppOptions[]) => listener(apps),
    settle: () => host.clock.advance(0),
    running: named(false),
    draining: () => [...runs].filter(({ stopping }) => stopping).map(({ app }) => app.name),
    drained: (name: string) => runOf(name).end(),
    fails: (name: string, error: Error) => runOf(name).end(error),
    waits: () => host.logger.lines.flatMap(({ fields }) => fields.waitMs ?? []).map(Number),
  };
  host.done = runApps(
    initial,
    {
      async run(app, { signal }) {
        host.started.push(app.name);
        if (host.refused.has(app.name) || host.refused.has(app.registry)) {
          throw new ConfigError(`${app.name} cannot be meant`);
        }
        await new Promise<void>((resolve, reject) => {
          const run: Run = {
            app,
            stopping: false,
            end(error) {
              runs.delete(run);
              if (error) reject(error);
              else resolve();
            },
          };
          runs.add(run);
          signal.addEventListener("abort", () => {
            run.stopping = true;
          });
        });
        signal.throwIfAborted();
      },
      ports: {
        hold(ports) {
          for (const port of ports) host.held.add(port);
        },
        release(isWanted) {
          for (const port of host.held) if (!isWanted(port)) host.held.delete(port);
        },
      },
      clock: host.clock,
      logger: host.logger,
      onReload(given) {
        listener = given;
        return () => {
          listener = () => {};
        };
      },
    },
    { signal: host.stop.signal },
  ).finally(() => {
    host.ended = true;
  });
  host.done.catch(() => {});
  onTestFinished(() => {
    host.stop.abort(new Error("the test is over"));
    for (const run of runs) run.end();
  });
  return host;

  function named(stopping: boolean) {
    function running(): string[];
    function running(name: string): AppOptions | undefined;
    function running(name?: string) {
      const apps = [...runs].filter((run) => run.stopping === stopping).map(({ app }) => app);
      return name === undefined
        ? apps.map((app) => app.name)
        : apps.find((app) => app.name === name);
    }
    return running;
  }

  function runOf(name: string): Run {
    const run = [...runs].find(({ app }) => app.name === name);
    if (!run) throw new Error(`${name} does not run`);
    return run;
  }
}
