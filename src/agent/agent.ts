import { hostname } from "node:os";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError } from "../base/errors.ts";
import { openHttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import type { Admin } from "./admin/admin.ts";
import { runApp } from "./app.ts";
import type { AppOptions, OnRestart, ProcessOptions } from "./app-options.ts";
import { openCachePool } from "./cache-pool.ts";
import type { ReplicasView } from "./containers/replicas-view.ts";
import type { AgentEvent, AppIdentity, Observe } from "./event.ts";
import { openGroups } from "./groups/group.ts";
import { openHistory } from "./history/history.ts";
import { openNotifiers } from "./notifiers/index.ts";
import { openStatusBoard, type StatusBoard } from "./status-board.ts";
import type { openListeners } from "./supervisor/listeners.ts";
import { openSystemdNotify } from "./telemetry/systemd.ts";
import type { Telemetry, TelemetryOptions } from "./telemetry/telemetry.ts";

/** What is not told or written by then is given up: it waits for a disk or a network. */
const lastWordsMs = 5_000;
/** Beyond what each look at containers takes at the most. */
const lookLimitMs = 10_000;

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
  const telemetry = asked && (await measure({ ...asked, version }, board, parts));
  const admin = openAdminOnce(port, { ...parts, board, telemetry }, call);
  if (telemetry) await admin.open();
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
      if (app.mode === "container") await admin.open().catch(tellUnopened(telemetry, logger));
      const observers = [board, telemetry, systemd].flatMap((one) => one?.observe(identity) ?? []);
      const observe = toAll([...observers, history.observe, notifiers.observe]);
      try {
        const show = (view: ReplicasView) => board.show(app.name, view);
        const recorded = history.settled;
        await runApp(app, { ...own, observe, recorded, isLast, show }, each);
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
      await Promise.all([...farewells, admin.close(), telemetry?.close(last)]);
      await systemd?.close();
      await caches.close();
      http.close();
    },
  };
}

/** Loaded only here: who does not ask for metrics does not pay for them. */
async function measure(options: TelemetryOptions, { views }: StatusBoard, parts: AgentParts) {
  const [{ openTelemetry }, { readContainerMetrics }] = await Promise.all([
    import("./telemetry/telemetry.ts"),
    import("./telemetry/container-metrics.ts"),
  ]);
  const look = () => readContainerMetrics(views, { signal: AbortSignal.timeout(lookLimitMs) });
  return await openTelemetry(options, { ...parts, look });
}

/** The admin listener, opened when it is needed first: by metrics, or by an app of containers. */
function openAdminOnce(
  port: number,
  parts: AgentParts & { board: StatusBoard; telemetry: Telemetry | undefined },
  call: Call,
) {
  const { board, telemetry } = parts;
  let opened: Promise<Admin> | undefined;

  async function openNow(): Promise<Admin> {
    const [{ openAdmin }, { containersBody }] = await Promise.all([
      import("./admin/admin.ts"),
      import("./admin/containers.ts"),
    ]);
    const containers = () =>
      containersBody(board.views.values(), { signal: AbortSignal.timeout(lookLimitMs) });
    const own = { ...parts, status: board.status, containers, metrics: telemetry?.prometheus };
    return await openAdmin({ port }, own, call);
  }

  return {
    async open(): Promise<void> {
      opened ??= openNow();
      await opened;
    },
    close: async () => (await opened?.catch(() => undefined))?.close(),
  };
}

/** Whoever did not ask for the admin listener gets the app without it. */
function tellUnopened(telemetry: Telemetry | undefined, logger: Logger) {
  return (error: unknown) => {
    if (telemetry || !(error instanceof ConfigError)) throw error;
    logger.warn("dewy container list and /api/containers will not know of this agent", { error });
  };
}

function toAll(observers: readonly Observe[]): Observe {
  return (event: AgentEvent) => {
    for (const observe of observers) observe(event);
  };
}
