import { isDeepStrictEqual } from "node:util";
import type { Call } from "../../base/call.ts";
import { ConfigError, lineOf } from "../../base/errors.ts";
import type { AppOptions } from "../app-options.ts";
import { type AppTask, type AppTaskParts, startAppTask } from "./app-task.ts";
import { clash, refuseConflicts } from "./conflict.ts";

export interface AppsParts extends AppTaskParts {
  /** Calls `listener` with all the apps there are to be from now on; returns what ends that. */
  onReload(listener: (apps: readonly AppOptions[]) => void): () => void;
}

/**
 * Runs each of `initial` by itself until the call ends, and then lets all of them drain.
 *
 * On a reload an app whose options are what they were is not touched; one that is gone is stopped,
 * and one that has changed is stopped, and started again as soon as what it needs is free. An app
 * that was refused is tried again, as what was in its way may be gone.
 *
 * @throws {ConfigError} for apps that get in each other's way, before anything was started, and when
 *   every single one of the first apps is refused
 */
export async function runApps(
  initial: readonly AppOptions[],
  parts: AppsParts,
  { signal }: Call,
): Promise<void> {
  if (initial.length === 0) throw new ConfigError("there is no app to run");
  refuseConflicts(initial);
  const apps = openApps(parts);
  const first = apps.replace(initial);
  let reloaded = false;
  const stopReloads = parts.onReload((wanted) => {
    if (reload(wanted, apps, parts)) reloaded = true;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
      void Promise.all(first.map(({ done }) => done)).then(() => {
        if (!reloaded) reject(refusalOf(first));
      });
    });
  } finally {
    stopReloads();
    await apps.stop(signal.reason);
  }
}

type Apps = ReturnType<typeof openApps>;

/** @returns whether the new apps were taken over; otherwise everything goes on as it was. */
function reload(wanted: readonly AppOptions[], apps: Apps, { logger }: AppsParts): boolean {
  try {
    refuseConflicts(wanted);
  } catch (error) {
    logger.error("the new configuration is refused; everything goes on as it was", { error });
    return false;
  }
  const before = apps.names();
  const started = apps.replace(wanted).map(({ app }) => app.name);
  const now = new Set(wanted.map(({ name }) => name));
  const stopped = before.filter((name) => !now.has(name));
  const untouched = [...now].filter((name) => !started.includes(name));
  logger.info("Configuration reloaded", { started, stopped, untouched });
  return true;
}

/** The apps there are, and those that are on their way out. */
function openApps(parts: AppTaskParts) {
  let tasks: readonly AppTask[] = [];
  const leaving = new Set<AppTask>();

  return {
    names: () => tasks.map(({ app }) => app.name),

    /** Makes `wanted` the apps there are. @returns those that had to be started */
    replace(wanted: readonly AppOptions[]): readonly AppTask[] {
      const before = tasks;
      const kept = before.filter(
        (task) => task.running && wanted.some((app) => isDeepStrictEqual(app, task.app)),
      );
      bridge(
        before.filter((task) => !kept.includes(task)),
        wanted,
      );
      for (const task of before) if (!kept.includes(task)) leave(task, wanted);
      const started = wanted
        .filter((app) => !kept.some((task) => task.app.name === app.name))
        .map((app) => start(app, before.find((task) => task.app.name === app.name)?.running));
      tasks = [...kept, ...started];
      return started;
    },

    async stop(reason: unknown): Promise<void> {
      parts.ports.release(() => false);
      for (const task of tasks) task.stop(reason);
      await Promise.all([...tasks, ...leaving].map(({ done }) => done));
    },
  };

  /** A port that another app, or the same with other options, is to have next stays open. */
  function bridge(stopping: readonly AppTask[], wanted: readonly AppOptions[]): void {
    const next = new Set(wanted.flatMap(({ ports }) => ports));
    parts.ports.release((port) => next.has(port));
    const freed = stopping.flatMap(({ running }) => running?.ports ?? []);
    parts.ports.hold(freed.filter((port) => next.has(port)));
  }

  function leave(task: AppTask, wanted: readonly AppOptions[]): void {
    const stays = wanted.some(({ name }) => name === task.app.name);
    leaving.add(task);
    task.stop(new Error(stays ? "its options have changed" : "it is not configured any more"));
    void task.done.then(() => leaving.delete(task));
  }

  function start(app: AppOptions, fallback: AppOptions | undefined): AppTask {
    const inTheWay = [...leaving].filter((task) =>
      [task.app, ...(task.running ? [task.running] : [])].some((each) => clash(each, app)),
    );
    const task = startAppTask(
      {
        app,
        fallback,
        ready: Promise.all(inTheWay.map(({ done }) => done)),
        mayFallBack: (options) =>
          !tasks.some((other) => other !== task && clash(other.app, options)),
      },
      parts,
    );
    return task;
  }
}

function refusalOf(tasks: readonly AppTask[]): ConfigError {
  const refusals = tasks.flatMap(({ app, refusal }) => (refusal ? [{ app, refusal }] : []));
  const [only] = refusals;
  if (only && refusals.length === 1) return only.refusal;
  return new ConfigError(
    refusals.map(({ app, refusal }) => `${app.name}: ${lineOf(refusal)}`).join("; "),
  );
}
