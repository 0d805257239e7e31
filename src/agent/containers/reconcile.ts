import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import { isReleaseFault } from "../fault.ts";
import type { Dismissals } from "./dismissals.ts";
import { type Fleet, orLog } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import { indexOf, labelKeys } from "./replica.ts";
import type { ReplicaWatch } from "./replica-watch.ts";
import type { Restarts } from "./restarts.ts";
import { openRollout, type Rollout } from "./rollout.ts";
import type { Container, ContainerRuntime } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

export interface ReconcileParts {
  fleet: Fleet;
  traffic: Traffic;
  watch: ReplicaWatch;
  dismissals: Dismissals;
  runtime: ContainerRuntime;
  restarts: Restarts;
  clock: Clock;
  logger: Logger;
  /** Keeps `work` going behind what called for it. */
  behind(work: Promise<unknown>): void;
  /** Those that have left the traffic by themselves. */
  crashed: Set<string>;
  /** Whether the engine has been gone since the last look: what has ended then is not to blame for it. */
  wasEngineGone(): boolean;
  /** Told of each replica that has ended by itself, how, and what it wrote last. */
  died(how: string, logTail: readonly string[]): void;
  /** A rollout has begun, or is over. */
  exchanging(rollout: { tag: string; rollout: Rollout } | undefined): void;
  /** Those that drain by somebody else's will, and are none of ours until they have. */
  leaving: Set<string>;
}

const logTailLines = 50;

/**
 * Makes what runs what should run: `replicas` of `image`, ready and in the traffic, and nothing else.
 *
 * Replicas that are there already are adopted. Those that have ended are removed and replaced, later
 * and later; those that are unwell for too long, once another one serves in their place. Those of
 * another release, or started with other options, are replaced one by one. One that was told to end
 * is none of them.
 */
export async function reconcile(
  image: ReleaseImage,
  { replicas, surge }: { replicas: number; surge: number },
  parts: ReconcileParts,
  call: Call,
): Promise<void> {
  const { fleet, traffic, watch, dismissals, logger, leaving } = parts;
  const listed = await fleet.list(call);
  await dismissals.keep(listed.map(({ id }) => id));
  const all = listed.filter(({ id }) => !leaving.has(id));
  const dismissed = letDismissedGo(all, parts, call);
  const running = all.filter((one) => one.state === "running" && !dismissed.includes(one));
  for (const one of running) tellHealth(one, watch);
  await forgetGone(running, parts, call);
  await removeEnded(all, parts, call);
  const ours = running.filter((one) => fleet.isReplicaOf(image, one));
  const others = running.filter((one) => !ours.includes(one));
  if (ours.length === 0 && others.length > 0) {
    return replaceAll(others, { image, replicas, surge }, parts, call);
  }
  await adopt(ours, parts, call);
  // Half exchanged by an agent that was killed: what serves goes on until all are there.
  const isBrokenOff = dismissed.some((one) => fleet.isReplicaOf(image, one));
  const beside = isBrokenOff ? others : thoseBefore(ours, others);
  if (ours.length < replicas) await adopt(beside, parts, call);
  const isKnown = ({ id }: Container) => traffic.serving.has(id) || watch.unwell(id) !== undefined;
  const overdue = ours.filter(({ id }) => watch.isOverdue(id));
  const serving = ours
    .filter((one) => isKnown(one) && !overdue.includes(one))
    .sort(byIndex)
    .sort((a, b) => Number(!!watch.unwell(a.id)) - Number(!!watch.unwell(b.id)));
  await addMissing(serving, image, replicas, parts, call);
  if (serving.length >= replicas) await replaceOverdue(overdue, parts, call);
  for (const surplus of serving.slice(replicas)) letGo(surplus, parts, call);
  if (others.length === 0 || serving.length < replicas) return;
  logger.info("Containers of another release or with other options are let go", {
    containers: others.map(({ name }) => name).join(", "),
  });
  for (const other of others) letGo(other, parts, call);
}

/** Those that an agent before this one told to end: the engine may be about to, at any moment. */
function letDismissedGo(
  all: readonly Container[],
  parts: ReconcileParts,
  call: Call,
): readonly Container[] {
  const { dismissals, logger } = parts;
  const dismissed = all.filter(({ id, state }) => state === "running" && dismissals.has(id));
  for (const one of dismissed) {
    logger.info("A container that was told to end before gets no traffic", { container: one.name });
    letGo(one, parts, call);
  }
  return dismissed;
}

/** What its HEALTHCHECK says, where that has come to an end. */
export function tellHealth({ id, health }: Container, watch: Pick<ReplicaWatch, "told">): void {
  if (health === "healthy" || health === "unhealthy") watch.told(id, health === "healthy");
}

async function forgetGone(
  running: readonly Container[],
  { traffic, watch, crashed, logger }: ReconcileParts,
  call: Call,
): Promise<void> {
  const ids = new Set(running.map(({ id }) => id));
  const gone = [...new Set([...traffic.serving, ...watch.ids])].filter((id) => !ids.has(id));
  if (gone.length > 0) {
    logger.warn("Replicas are gone, and leave the traffic", { count: gone.length });
  }
  for (const id of gone) {
    crashed.add(id);
    watch.end(id);
  }
  await traffic.withdraw(gone, call); // none of them, too: an earlier attempt may have failed
}

async function removeEnded(
  all: readonly Container[],
  { fleet, runtime, restarts, crashed, wasEngineGone, died, clock, logger }: ReconcileParts,
  call: Call,
): Promise<void> {
  for (const container of all) {
    if (["running", "restarting", "removing"].includes(container.state)) continue;
    if (container.state === "paused") continue;
    const { name, exitCode, oomKilled, startedAt } = container;
    logger.warn("A replica has ended", { container: name, exitCode, oomKilled });
    if (crashed.delete(container.id) && !wasEngineGone()) {
      const uptimeMs = startedAt ? clock.now().getTime() - startedAt.getTime() : 0;
      restarts.note(uptimeMs, indexOf(container));
      const how = oomKilled ? "was killed for its memory" : `ended with status ${exitCode}`;
      died(how, await runtime.logTail(container.id, logTailLines, call).catch(() => []));
    }
    await orLog(fleet.remove(container, call), "it could not be removed", { logger }, call);
  }
}

/**
 * Those that answer at once serve at once, all together: that is how an agent comes back. One that is
 * slow has as long as a new one, and only one that fails is removed, not one the engine cannot tell of.
 */
async function adopt(ours: readonly Container[], parts: ReconcileParts, call: Call): Promise<void> {
  const { traffic, watch } = parts;
  const strangers = ours.filter(
    (one) => !watch.unwell(one.id) && (!traffic.serving.has(one.id) || !traffic.reaches(one)),
  );
  const ends = await Promise.allSettled(strangers.map((one) => adoptOne(one, parts, call)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function adoptOne(
  container: Container,
  { fleet, logger }: ReconcileParts,
  call: Call,
): Promise<void> {
  const image = imageOf(container);
  try {
    await fleet.admit(container, image, call);
    logger.info("Container adopted", { container: container.name, tag: image.tag });
  } catch (error) {
    call.signal.throwIfAborted();
    if (!isReleaseFault(error)) throw error;
    const reason = messageOf(error);
    logger.warn("A container that runs does not answer, and is replaced", {
      ...{ container: container.name, reason },
    });
    await orLog(fleet.remove(container, call), "it could not be removed", { logger }, call);
  }
}

async function addMissing(
  serving: Container[],
  image: ReleaseImage,
  replicas: number,
  parts: ReconcileParts,
  call: Call,
): Promise<void> {
  const { fleet, restarts, logger } = parts;
  if (serving.length >= replicas) return;
  if (restarts.leftMs() > 0) return;
  const taken = new Set(serving.map(indexOf));
  const free = Array.from({ length: replicas }, (_, index) => index).filter(
    (index) => !taken.has(index),
  );
  for (const index of free.slice(0, replicas - serving.length)) {
    try {
      serving.push(await fleet.bringUp(image, index, call));
    } catch (error) {
      call.signal.throwIfAborted();
      restarts.note(0, index);
      logger.error("A replica could not be started, and is tried again", {
        ...{ tag: image.tag, replica: index + 1, error, waitMs: restarts.leftMs() },
      });
      return;
    }
  }
}

/** Those whose places are taken by others; each counts as one that has ended. */
async function replaceOverdue(
  overdue: readonly Container[],
  parts: ReconcileParts,
  call: Call,
): Promise<void> {
  const { runtime, restarts, watch, died, clock, logger } = parts;
  for (const container of overdue) {
    const { id, name, startedAt } = container;
    const { reason, since } = watch.unwell(id) ?? {};
    // It may be well again since it was looked at; the one that was started for it is a surplus.
    if (since === undefined) continue;
    const now = clock.now().getTime();
    const unwellMs = now - since.getTime();
    logger.warn("A replica is unwell for too long, and is replaced", {
      ...{ container: name, unwellMs, reason },
    });
    restarts.note(startedAt ? now - startedAt.getTime() : 0, indexOf(container));
    const how = `was unwell for ${Math.round(unwellMs / 1000)} s: ${reason}`;
    died(how, await runtime.logTail(id, logTailLines, call).catch(() => []));
    letGo(container, parts, call);
  }
}

/** As for a deployment, and undone like one: what runs is better than nothing. */
async function replaceAll(
  others: readonly Container[],
  { image, ...counts }: { image: ReleaseImage; replicas: number; surge: number },
  parts: ReconcileParts,
  call: Call,
): Promise<void> {
  const { fleet, traffic, restarts, logger, behind, leaving, exchanging } = parts;
  await adopt(others, parts, call);
  if (restarts.leftMs() > 0) return;
  const old = others
    .filter(({ id }) => traffic.serving.has(id))
    .map((container) => ({ container, image: imageOf(container) }));
  logger.info("Containers of another release or with other options are replaced", {
    containers: old.map(({ container }) => container.name).join(", "),
  });
  const rollout = openRollout({ image, old, ...counts }, fleet, parts);
  exchanging({ tag: image.tag, rollout });
  try {
    await rollout.begin(call);
    await rollout.complete(call);
    const ids = old.map(({ container }) => container.id);
    for (const id of ids) leaving.add(id);
    behind(rollout.commit(call).finally(() => ids.map((id) => leaving.delete(id))));
  } catch (error) {
    call.signal.throwIfAborted();
    restarts.note(0);
    logger.error("Replicas could not be replaced, and those before them stay", { error });
    await rollout.undo(call);
  } finally {
    exchanging(undefined);
  }
}

/** What a container was started from, as its labels tell. */
export function imageOf({ labels, image: reference }: Container): ReleaseImage {
  const digest = labels[labelKeys.digest] ?? reference.slice(reference.indexOf("@") + 1);
  return { tag: labels[labelKeys.version] ?? "", reference, digest: digest as Digest };
}

function letGo(container: Container, parts: ReconcileParts, call: Call): void {
  const { fleet, behind, leaving, logger } = parts;
  leaving.add(container.id);
  const gone = fleet
    .retire(container, call)
    .then(() => fleet.remove(container, call))
    .finally(() => leaving.delete(container.id));
  behind(orLog(gone, "a container could not be let go", { logger }, call));
}

/** Those that began after `ours` are of a rollout that was undone. */
function thoseBefore(ours: readonly Container[], others: readonly Container[]): Container[] {
  const began = ({ startedAt }: Container) => startedAt?.getTime() ?? 0;
  const newest = Math.max(...ours.map(began));
  return others.filter((one) => began(one) < newest);
}

function byIndex(a: Container, b: Container): number {
  return indexOf(a) - indexOf(b);
}
