import type { Situation } from "./situation.ts";

/** How times are written for the reader; as they come, where it is a program. */
export type ShowTime = (time: string) => string;

/** One sentence for each decision: why this release, why not that one, when next. */
export function explain(situation: Situation, show: ShowTime): string[] {
  return [
    inService(situation, show),
    ...replicated(situation, show),
    ...vouchedFor(situation),
    ...together(situation),
    ...decided(situation, show),
    ...attempted(situation, show),
    ...waiting(situation, show),
    ...passedOver(situation, show),
    ...next(situation, show),
  ];
}

function inService(
  { active, agent, mode, running, poll, attempt, pinned }: Situation,
  show: ShowTime,
): string {
  if (!active) {
    const why =
      poll?.tag === undefined ? "no release has been chosen yet" : "none was deployed yet";
    return attempt ? "No release is in service yet." : `No release is in service: ${why}.`;
  }
  const { tag, since } = active;
  const stopped = agent && mode === "server" && !running ? ", and its process does not run" : "";
  const start = `${tag} is active since ${show(since)}${stopped}`;
  if (!agent) return `${start}; no agent runs here now.`;
  if (poll?.tag !== tag || pinned) return `${start}.`;
  return `${start}: it is the newest release that may run here.`;
}

function replicated({ replicas, mode }: Situation, show: ShowTime): string[] {
  if (mode !== "container" || !replicas) return [];
  const { serving, asked, rollout, crashes = 0, nextStartAt, containers, error } = replicas;
  const times = crashes === 1 ? "One" : `${crashes}`;
  const next = nextStartAt ? `; none is started before ${show(nextStartAt)}` : "";
  return [
    `${serving} of ${asked} replicas serve.`,
    ...(rollout
      ? [`They are exchanged for ${rollout.tag}: ${rollout.ready} of ${asked} are ready.`]
      : []),
    ...(crashes > 0
      ? [`${times} ended by itself or did not start since the release began${next}.`]
      : []),
    ...containers.flatMap(({ name, unwell, isServing }) => {
      if (!unwell) return [];
      const traffic = isServing
        ? "it keeps the traffic, since no other one is well"
        : "new connections go to the others";
      return [`${name} is unwell since ${show(unwell.since)} (${unwell.reason}): ${traffic}.`];
    }),
    ...(error ? [`The engine does not tell what runs (${error}).`] : []),
  ];
}

function vouchedFor({ active, uncovered }: Situation): string[] {
  if (!active) return [];
  const { tag, verified } = active;
  if (uncovered) return [`${tag} is not covered by the policy of verification: ${uncovered}.`];
  return verified ? [`${tag} was verified by ${verified}.`] : [];
}

function together({ app, group }: Situation): string[] {
  if (!group) return [];
  const others = group.apps.filter((other) => other !== app).join(", ");
  return [`It moves together with ${others}: they are the group ${group.name}.`];
}

function decided({ pinned, paused }: Situation, show: ShowTime): string[] {
  const because = ({ by, at, reason, until }: NonNullable<typeof paused>) =>
    `by ${by} since ${show(at)}${until ? `, until ${show(until)}` : ""}${reason ? ` (${reason})` : ""}`;
  return [
    ...(pinned ? [`${pinned.tag} is pinned ${because(pinned)}: nothing else is deployed.`] : []),
    ...(paused ? [`Deployments are paused ${because(paused)}.`] : []),
  ];
}

function attempted(situation: Situation, show: ShowTime): string[] {
  const { attempt, active } = situation;
  if (!attempt) return [];
  const { tag, phase, startedAt, failures, error, retryAt } = attempt;
  if (error === undefined) return [`${tag} is being deployed since ${show(startedAt)}: ${phase}.`];
  if (tag === active?.tag || isPassedOver(situation, tag)) return [];
  const bad = situation.quarantined?.find((one) => one.tag === tag);
  if (bad) return [inQuarantine(bad, show)];
  const times = failures === 1 ? "once" : `${failures} times`;
  const again = retryAt === undefined ? "" : `; it is tried again after ${show(retryAt)}`;
  return [`${tag} failed ${times}, last in the phase ${phase} (${error})${again}.`];
}

function waiting({ waiting: wait }: Situation, show: ShowTime): string[] {
  if (!wait) return [];
  return [`${wait.tag} waits${wait.until ? ` until ${show(wait.until)}` : ""}: ${wait.reason}.`];
}

const isPassedOver = ({ poll }: Situation, tag: string): boolean =>
  poll?.passedOver.some((one) => one.tag === tag) ?? false;

function passedOver({ poll, quarantined, skipped }: Situation, show: ShowTime): string[] {
  return (poll?.passedOver ?? []).map(({ tag, reason }) => {
    const bad = reason.startsWith("in quarantine") && quarantined?.find((one) => one.tag === tag);
    if (bad) return inQuarantine(bad, show);
    const isSkipped = reason.startsWith("skipped") && skipped?.some((one) => one.tag === tag);
    const wayBack = isSkipped ? `; dewy retry ${tag} takes that back` : "";
    return `${tag} is not taken: ${reason}${wayBack}.`;
  });
}

function inQuarantine(
  { tag, at, failures, reason }: NonNullable<Situation["quarantined"]>[number],
  show: ShowTime,
): string {
  const times = failures === 1 ? "once" : `${failures} times`;
  return `${tag} is in quarantine since ${show(at)}, after it failed ${times} (${reason}): dewy retry ${tag} tries it again.`;
}

function next({ agent, poll, nextPollAt, registry }: Situation, show: ShowTime): string[] {
  if (!agent) return ["Nothing is deployed until dewy is started."];
  const failed = poll?.error ? [`${registry} could not be asked (${poll.error}).`] : [];
  const when = nextPollAt ? `after ${show(nextPollAt)}` : "now";
  return [...failed, `The registry is asked again ${when}.`];
}
