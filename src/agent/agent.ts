import { hostname } from "node:os";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { openHttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import { runApp } from "./app.ts";
import type { AppOptions, OnRestart, ProcessOptions } from "./app-options.ts";
import { openCachePool } from "./cache-pool.ts";
import type { AgentEvent, AppIdentity, Observe } from "./event.ts";
import { openGroups } from "./groups/group.ts";
import { openHistory } from "./history/history.ts";
import { openNotifiers } from "./notifiers/index.ts";
import { openStatusBoard, type StatusBoard } from "./status-board.ts";
import type { openListeners } from "./supervisor/listeners.ts";
import { openSystemdNotify } from "./telemetry/systemd.ts";
import type { TelemetryOptions } from "./telemetry/telemetry.ts";

/** What is not told or written by then is given up: it waits for a disk or a network. */
const lastWordsMs = 5_000;

export interface AgentParts {
  clock: Clock;
  logger: Logger;
  environment: Environment;
  onRestart: OnRestart;
  /** See `AppParts`. */
  listen?: typeof openListeners;
  version: string;
}

/** What all apps of a process share: connections, caches, metrics, and the word to systemd. */
export interface Agent {
  /** As `runApp`, told of in its history, notices and metrics. */
  run(app: AppOptions, logger: Logger, call: Call): Promise<void>;
  /**
   * After every app has ended. Notices, metrics and history that wait for a network or a disk wait
   * side by side, for a few seconds.
   */
  close(): Promise<void>;
}

/** @throws {ConfigError} for telemetry that cannot be meant, or an admin port that cannot be had */
export async function openAgent(
  { telemetry: asked, adminPort: port }: Pick<ProcessOptions, "telemetry" | "adminPort">,
  parts: AgentParts,
  call: Call,
): Promise<Agent> {
  const { environment, version } = parts;
  const board = openStatusBoard();
  const measured = asked && (await measure({ ...asked, version, port }, board, parts, call));
  const http = openHttpClient({ userAgent: `dewy/${version}`, environment });
  const caches = openCachePool({ ...parts, http });
  const systemd = openSystemdNotify(environment, parts);
  const stopping = () => systemd?.stopping();
  call.signal.addEventListener("abort", stopping, { once: true });
  const groups = openGroups();
  const farewells: Promise<unknown>[] = [];

  return {
    async run(app, logger, each) {
      const identity: AppIdentity = { app: app.name, host: hostname(), mode: app.mode };
      const group = groups.of(app.group, { ...parts, logger });
      const own = { ...parts, logger, http, caches, identity, host: identity.host, group };
      const isLast = () => call.signal.aborted;
      const { directory } = app;
      const notifiers = await openNotifiers(app.notifiers, {
        ...{ ...own, directory },
        tellsLogTail: app.noticeLogTail,
      });
      const history = openHistory(directory, own);
      const observers = [board, measured?.telemetry, systemd].flatMap(
        (one) => one?.observe(identity) ?? [],
      );
      const observe = toAll([...observers, history.observe, notifiers.observe]);
      try {
        await runApp(app, { ...own, observe, isLast }, each);
      } finally {
        board.forget(app.name);
        systemd?.forget(app.name);
        const last = { signal: AbortSignal.timeout(lastWordsMs) };
        const farewell = Promise.all([notifiers.close(last), history.close(last)]);
        // Only an app that may be started again has to wait for its own.
        if (call.signal.aborted) farewells.push(farewell);
        else await farewell;
      }
    },

    async close() {
      call.signal.removeEventListener("abort", stopping);
      const last = { signal: AbortSignal.timeout(lastWordsMs) };
      await Promise.all([...farewells, measured?.admin.close(), measured?.telemetry.close(last)]);
      await systemd?.close();
      await caches.close();
      http.close();
    },
  };
}

/** Loaded only here: who does not ask for metrics does not pay for them. */
async function measure(
  { port, ...options }: TelemetryOptions & { port: number },
  board: StatusBoard,
  parts: AgentParts,
  call: Call,
) {
  const [{ openTelemetry }, { openAdmin }] = await Promise.all([
    import("./telemetry/telemetry.ts"),
    import("./admin/admin.ts"),
  ]);
  const telemetry = await openTelemetry(options, parts);
  const { status } = board;
  const admin = await openAdmin(
    { port },
    { ...parts, status, metrics: telemetry.prometheus },
    call,
  );
  return { telemetry, admin };
}

function toAll(observers: readonly Observe[]): Observe {
  return (event: AgentEvent) => {
    for (const observe of observers) observe(event);
  };
}
