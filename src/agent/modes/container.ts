import { setMaxListeners } from "node:events";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { InTurn } from "../../base/turns.ts";
import { askedHealth } from "../containers/asked-health.ts";
import { openBackground } from "../containers/background.ts";
import { bakeReplicas } from "../containers/bake.ts";
import type { ContainerOptions } from "../containers/container-options.ts";
import type { Dismissals } from "../containers/dismissals.ts";
import { type Exchange, openExchanges } from "../containers/exchanges.ts";
import { openFleet, orLog } from "../containers/fleet.ts";
import type { Pull } from "../containers/image-release.ts";
import { pruneImages } from "../containers/prune-images.ts";
import { reconcile } from "../containers/reconcile.ts";
import { type ReleaseImage, readReleaseImage } from "../containers/release-image.ts";
import { labelKeys } from "../containers/replica.ts";
import { openReplicaWatch } from "../containers/replica-watch.ts";
import { openReplicasView } from "../containers/replicas-view.ts";
import type { KeptRestarts } from "../containers/restarts.ts";
import type { ContainerRuntime } from "../containers/runtime.ts";
import { openTraffic } from "../containers/traffic.ts";
import { meaningOf, watchEvents } from "../containers/watch-events.ts";
import type { Started } from "../deploy/activate.ts";
import type { Releases } from "../deploy/releases.ts";
import type { Observe } from "../event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { DataPlane } from "../proxy/data-plane.ts";
import type { HealthOptions } from "../readiness/health.ts";
import type { RunningMode } from "./mode.ts";

export interface ContainerModeOptions {
  name: string;
  directory: string;
  container: ContainerOptions;
  health: HealthOptions;
  drainMs: number;
  environment: Environment;
}

export interface ContainerModeParts {
  releases: Releases;
  runtime: ContainerRuntime;
  restarts: KeptRestarts;
  dismissals: Dismissals;
  plane: DataPlane;
  pull: Pull;
  ledger: Ledger;
  alone: InTurn;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

/** Beyond what the drains and the readiness of a return may take. */
const undoReserveMs = 60_000;

/** `dewy container`: replicas of an image, exchanged one by one behind a port that stays open. */
export function openContainerMode(
  { container: asked, health, drainMs, ...options }: ContainerModeOptions,
  parts: ContainerModeParts,
  call: Call,
): RunningMode {
  const { name, directory, environment } = options;
  const { runtime, plane, clock, logger, alone, restarts } = parts;
  const { replicas, surge } = asked;
  const traffic = openTraffic(plane, parts);
  const leaving = new Set<string>();
  const crashed = new Set<string>();
  const own = new AbortController();
  const always = { signal: AbortSignal.any([call.signal, own.signal]) };
  setMaxListeners(0, always.signal); // as many as there are replicas that drain
  const background = openBackground(parts, always);
  const { goOn } = background;
  let tellDeath: (how: string) => void = () => {};
  let lastWords: readonly string[] = [];
  let isNudged = false;
  let isTroubled = false;
  let wasEngineGone = false;
  const watch = openReplicaWatch(
    { everyMs: asked.healthEveryMs, timeoutMs: health.timeoutMs },
    { ...parts, traffic, withdrawn, overdue: nudge, behind: goOn },
    always,
  );
  const fleet = openFleet(
    { app: { name, directory }, container: asked, health, drainMs, environment },
    { ...parts, traffic, watch },
  );
  const askHealth = askedHealth({ runtime, watch, clock }, always);
  const undoLimitMs = health.timeoutMs + drainMs + undoReserveMs;
  const exchanges = openExchanges(
    { replicas, surge, undoLimitMs },
    { ...parts, fleet, traffic, leaving, behind: goOn },
    always,
  );
  const view = openReplicasView(asked, {
    ...{ runtime, list: fleet.list, traffic, restarts, clock },
    ...{
      watch,
      rollout() {
        const { underWay } = exchanges;
        return underWay && { tag: underWay.tag, ready: underWay.rollout.fresh.length };
      },
    },
  });
  const watching = watchEvents(
    runtime,
    { [labelKeys.directory]: directory },
    {
      tell: ({ id, action }) => onEvent(id, action),
      lost: () => (wasEngineGone = true),
      missed: nudge,
    },
    parts,
    always,
  );

  return {
    view,
    start: ({ tag, ...each }) => startProved(tag, each),
    keepRunning: settle,
    goBack: (_, each) => settle(each),

    onDeath(listener) {
      tellDeath = listener;
    },

    lastWords: async () => lastWords,

    async prune() {
      const { reference } = (await currentImage()) ?? {};
      if (reference)
        await orLog(pruneImages(reference, parts, always), "old images stay", parts, always);
    },

    async restart(each) {
      const image = await currentImage();
      if (!image) return logger.warn("Nothing to restart: nothing is deployed yet");
      logger.info("Replicas are replaced, as it was told to", { tag: image.tag });
      const begun = await begin(image, each);
      try {
        await begun.complete(each);
        begun.letGo();
      } catch (error) {
        await begun.undo();
        throw error;
      }
    },

    async close() {
      own.abort();
      await Promise.allSettled([watching, background.ended()]);
      await restarts.kept();
      if (asked.stopOnExit) await stopAll();
      await plane.close({ keep: !asked.stopOnExit });
    },
  };

  async function currentImage(): Promise<ReleaseImage | undefined> {
    const current = await parts.releases.current();
    return current?.complete ? readReleaseImage(current.directory) : undefined;
  }

  async function ensureImage(image: ReleaseImage, each: Call): Promise<void> {
    if (await runtime.image(image.reference, each)) return;
    await parts.pull(image, each);
  }

  /** What is wrong with the engine is said once, and the next look tries again. */
  async function settle(each: Call): Promise<void> {
    try {
      const image = await currentImage();
      if (!image) return;
      await ensureImage(image, each);
      const reconciling = {
        ...{ ...parts, fleet, traffic, watch, leaving, crashed },
        ...{ behind: goOn, died, exchanging: exchanges.note, wasEngineGone: () => wasEngineGone },
      };
      await reconcile(image, { replicas, surge }, reconciling, each);
      wasEngineGone = false;
      if (isTroubled) logger.info("All replicas can be looked after again");
      isTroubled = false;
    } catch (error) {
      if (isEchoOf(each.signal, error)) throw error;
      logger[isTroubled ? "debug" : "error"]("Replicas cannot be looked after", { error });
      isTroubled = true;
    }
    const leftMs = restarts.leftMs();
    if (leftMs > 0) goOn(clock.sleep(leftMs, always).then(nudge));
  }

  async function startProved(tag: string, each: Call): Promise<Started> {
    const image = await currentImage();
    if (!image) throw new ConfigError(`${directory}/current holds no image`);
    restarts.forget();
    const begun = await begin(image, each);
    const { fresh, old } = begun;
    return {
      bake: (one) => bakeReplicas(image, { fresh, old }, health, { ...parts, fleet, traffic }, one),
      complete: begun.complete,
      commit() {
        logger.info("Container deployment completed", { tag, replicas: fresh.length });
        begun.letGo();
      },
      undo: begun.undo,
    };
  }

  async function begin(image: ReleaseImage, each: Call): Promise<Exchange> {
    await ensureImage(image, each);
    return exchanges.begin(image, each);
  }

  function died(how: string, logTail: readonly string[]): void {
    lastWords = logTail;
    parts.observe({ type: "app died", how: `a replica ${how}` });
    tellDeath(how);
  }

  function withdrawn(id: string): void {
    view.forget();
    exchanges.underWay?.rollout.lost(id);
  }

  function onEvent(id: string, action: string): void {
    view.forget();
    const meaning = meaningOf(action);
    if (meaning === "ended" && (traffic.serving.has(id) || watch.ids.has(id))) {
      logger.warn("A replica has left the traffic", { container: id.slice(0, 12), action });
      crashed.add(id);
      watch.end(id);
      goOn(traffic.withdraw([id], always).finally(nudge));
      withdrawn(id);
      return;
    }
    if (meaning === "healthy" || meaning === "unhealthy") watch.told(id, meaning === "healthy");
    if (meaning === "tested") goOn(askHealth(id));
    else if (meaning !== undefined && meaning !== "ended") nudge();
  }

  function nudge(): void {
    if (isNudged || always.signal.aborted) return;
    isNudged = true;
    const look = alone(() => {
      isNudged = false;
      return always.signal.aborted ? Promise.resolve() : settle(always);
    });
    goOn(look);
  }

  async function stopAll(): Promise<void> {
    const last = { signal: AbortSignal.timeout(drainMs + undoReserveMs) };
    const all = await fleet.list(last).catch(() => []);
    await Promise.all(
      all.map(async (one) => {
        const gone = fleet.retire(one, last).then(() => fleet.remove(one, last));
        await orLog(gone, "a container could not be stopped", parts, last);
      }),
    );
  }
}
