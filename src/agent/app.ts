import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { HttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import { type InTurn, openTurns } from "../base/turns.ts";
import type { AppOptions, OnRestart } from "./app-options.ts";
import type { CachePool } from "./cache-pool.ts";
import { type AppCache, type CacheDriver, type Outage, openAppCache } from "./caches/index.ts";
import { childEnvironment } from "./child-environment.ts";
import {
  type Choice,
  type ChoiceParts,
  type ChoiceRules,
  choose,
  type PassedOver,
} from "./choose/choose.ts";
import { pinnedOnDisk } from "./choose/pinned-on-disk.ts";
import { rulesOf } from "./choose/rules.ts";
import { type ReplicasView, withReplicas } from "./containers/replicas-view.ts";
import { type AppControl, openAppControl } from "./control/app-control.ts";
import { deploy } from "./deploy/deploy.ts";
import { hooksOf } from "./deploy/hooks.ts";
import { recover } from "./deploy/recover.ts";
import type { Observe } from "./event.ts";
import { follow } from "./follow.ts";
import type { Group } from "./groups/group.ts";
import { findRelease, membershipOf } from "./groups/membership.ts";
import { thisHost } from "./host.ts";
import { inPlace, type Kept, withKept } from "./kept.ts";
import type { Phase } from "./ledger/ledger.ts";
import { openMode } from "./modes/index.ts";
import type { RunningMode } from "./modes/mode.ts";
import { type OpenedReleaseRegistry, openReleaseRegistry } from "./registries/index.ts";
import { type ReleaseRegistry, ReleaseRegistryError } from "./release.ts";
import { onceUntold, withReport } from "./report.ts";
import { restartOf } from "./restart.ts";
import type { openListeners } from "./supervisor/listeners.ts";
import { openAdmission } from "./verify/admission.ts";
import { openCoverage } from "./verify/coverage.ts";
import { openVerification, type Verification } from "./verify/index.ts";
import { openAppWaves } from "./waves/app-waves.ts";
import { backParts, watchCrashes } from "./way-back.ts";

export interface AppParts {
  clock: Clock;
  logger: Logger;
  http: HttpClient;
  caches: CachePool;
  /** Told of everything that happens to the app. */
  observe: Observe;
  /** Resolves when that is kept for who comes after a kill, or cannot be. */
  recorded?: () => Promise<void>;
  onRestart: OnRestart;
  /** See `ServerModeParts`. */
  listen?: typeof openListeners;
  /** See `ServerModeParts`. */
  isLast: () => boolean;
  /** The name of this host, for the records of what was deployed. */
  host: string;
  /** Of Dewy. */
  version: string;
  /** Where the app has one. */
  group?: Group | undefined;
  /** Told what can be seen of the app's containers, once there can be some. */
  show?: (view: ReplicasView) => void;
  /** See `PhaseParts`. */
  entered?: (phase: Phase) => void;
}

/**
 * Keeps one app on the newest release until the call ends, and then lets it drain.
 *
 * The last good release is in service before the registry is asked for the first time.
 *
 * @throws {ConfigError} for what cannot be meant or cannot be had, before anything was started.
 */
export async function runApp(options: AppOptions, parts: AppParts, call: Call): Promise<never> {
  const { environment, directory } = options;
  const source = await openReleaseRegistry(options.registry, {
    ...{ ...parts, environment },
    content: options.mode === "container" ? "images" : "files",
  });
  try {
    const rules = await rulesOf(source.rules, options, thisHost());
    const { clock } = parts;
    const inQuery = source.rules.verify;
    const verification = await openVerification(options.verify ?? {}, { inQuery, clock });
    const cache = await parts.caches.of(options.cache);
    return await withKept(directory, parts, call, (kept) => {
      const asked = { ...options, registryName: source.registry.name };
      const control = openAppControl(asked, { ...parts, ...kept });
      const { observe } = control;
      const own = { ...parts, ...kept, ...source, rules, verification, control, observe };
      return withCache(options, own, cache, call);
    });
  } finally {
    await source.registry.close();
  }
}

type KeptParts = AppParts &
  Kept &
  Pick<OpenedReleaseRegistry, "plainHttp"> & {
    rules: ChoiceRules;
    verification: Verification;
    control: AppControl;
  };

async function withCache(
  options: AppOptions,
  { registry, ...parts }: KeptParts & { registry: ReleaseRegistry },
  driver: CacheDriver,
  call: Call,
): Promise<never> {
  const { directory: root } = options;
  const { logger, host } = parts;
  const cache = await inPlace(root, call, () =>
    openAppCache({
      ...{ cache: driver, registry, root, host, logger },
      sharesEntries: options.waves !== undefined,
    }),
  );
  try {
    return await withMode(options, { ...parts, cache }, call);
  } finally {
    await cache.close();
  }
}

type CachedParts = KeptParts & { cache: AppCache };
type ModeParts = { mode: RunningMode; alone: InTurn };

async function withMode(options: AppOptions, parts: CachedParts, call: Call): Promise<never> {
  const { environment, name, scrubEnvironment } = options;
  const children = childEnvironment(environment, { app: name, scrub: scrubEnvironment });
  const own = { ...options, environment: children };
  const alone = openTurns();
  const mode = await openMode(own, { ...parts, alone, environment }, call);
  const { view } = mode;
  if (view) {
    parts.control.show(view);
    parts.show?.(view);
  }
  const observe = view ? withReplicas(view, parts.observe) : parts.observe;
  try {
    return await followed(own, { ...parts, observe, mode, alone }, call);
  } finally {
    if (call.signal.aborted) {
      parts.observe({ type: "stopping", reason: messageOf(call.signal.reason) });
    }
    await mode.close();
    parts.logger.info("Dewy stopped");
  }
}

async function followed(
  options: AppOptions,
  { rules, mode, cache, control, alone, ...parts }: CachedParts & ModeParts,
  call: Call,
): Promise<never> {
  const { clock, logger, observe, ledger } = parts;
  const { directory, ports } = options;
  const activeTag = () => ledger.state.active?.tag;
  const { registry, store, shared } = cache;
  const membership = parts.group && membershipOf(parts.group, options.name);
  const isUrgent = membership?.isUrgent ?? control.isUrgent;
  /** A person who wants a release at once has it in spite of the others. */
  const chosenAmong = () =>
    isUrgent() ? ledger.state : (waves?.holdsOn(ledger.state) ?? ledger.state);
  const choosing: ChoiceParts = {
    ...{ clock, logger, warned: new Set<string>(), activeTag, holds: chosenAmong },
    heldByGroup: membership?.heldByGroup,
    tellPassedOver: (releases) => observe({ type: "releases passed over", releases }),
  };
  const admission = openAdmission({ ...parts, registry, rules });
  const coverage = openCoverage({ ...parts, registry, store, admission });
  const waves = openAppWaves(options, { ...parts, cache, registry, rules }, call);
  let chosen: Choice | undefined;
  const hooks = hooksOf(options, { ...options, logger, observe });
  const { start, prepare, prune: pruneOutside } = mode;
  const deployParts = {
    ...{ ...parts, registry, store, shared, admission, hooks, alone },
    ...{ start, prepare, pruneOutside, disk: options.disk, join: membership?.join },
  };
  const reporting = { ...parts, registry, mode: options.mode };

  const about = { version: parts.version, registry: registry.name, ports };
  logger.info("Dewy started", { ...about, directory });
  observe({ type: "started", ...about, tag: activeTag() });
  await recover(parts);
  await coverage.begin();
  const tellLeft = onceUntold(reporting);
  const others = membership?.before(waves) ?? waves;
  const socket = await control.listen(async (state, each) => {
    let passedOver: readonly PassedOver[] = [];
    const tellPassedOver = (releases: readonly PassedOver[]) => {
      passedOver = releases;
    };
    const looking = { ...choosing, holds: () => state, tellPassedOver };
    return { choice: await choose(registry, rules, looking, each), passedOver };
  }, others);
  const back = backParts(mode, { ...deployParts, reporting, membership });
  const crashes = watchCrashes(options, back, mode, call);
  const leave = membership?.enter({
    ...{ directory, ledger, isUrgent: control.isUrgent },
    find: (tag, each) => findRelease(tag, { ...parts, admission, registry, rules }, each),
    waitOf: async (choice, each) =>
      (await control.waitOf(choice)) ?? (await waves?.peek(choice, each)),
    wake: () => control.wake(call),
  });
  const forget = parts.onRestart(restartOf(mode, alone, logger, call));
  try {
    return await follow(
      {
        ...{ ledger, clock, logger, observe, intervalMs: options.intervalMs },
        failureLimit: options.failureLimit,
        choose: async (each) => {
          const pinned = await pinnedOnDisk({ ...parts, admission });
          if (pinned && !(await membership?.heldByGroup(pinned.tag, each))) return pinned;
          chosen = await choose(registry, rules, choosing, each);
          if (chosen) await control.seen(chosen);
          return chosen;
        },
        ...{ isUrgent, decidedBy: control.decidedBy },
        waits: (choice, each) => control.waits(choice, others, each),
        async rest(ms, each) {
          await coverage.check(chosen, each);
          await waves?.look(each);
          await control.rest(ms, each);
        },
        outage: () => asError(registry.outage),
        deploy: (choice, each) =>
          withReport(choice, reporting, () => deploy(choice, deployParts, each), each),
        async keepRunning(each) {
          await ledger.catchUp();
          await membership?.returnWithGroup(back, each);
          await alone(() => mode.keepRunning(each));
          await tellLeft(each);
          crashes?.tellLeft();
        },
      },
      call,
    );
  } finally {
    forget();
    leave?.();
    waves?.close();
    await crashes?.settled();
    await socket.close();
  }
}

function asError(outage: Outage | undefined): ReleaseRegistryError | undefined {
  return outage && new ReleaseRegistryError(outage.code, outage.message);
}
