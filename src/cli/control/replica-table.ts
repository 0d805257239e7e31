import type { Situation } from "../../agent/control/situation.ts";
import { localTime } from "../history/table.ts";

type Replica = NonNullable<Situation["replicas"]>["containers"][number];

const head = ["APP", "REPLICA", "VERSION", "STATE", "CONNECTIONS", "CRASHES", "SINCE", "CONTAINER"];

/** A row for each container of these apps, under its head; nothing where there are none. */
export function replicaRows(situations: readonly Situation[]): string[][] {
  const rows = situations.flatMap(({ app, replicas }) =>
    (replicas?.containers ?? []).map((one) => [
      ...[app, String(one.index + 1), one.tag, stateOf(one)],
      ...[String(one.connections), String(one.crashes)],
      ...[one.since ? localTime(one.since) : "-", one.name],
    ]),
  );
  return rows.length === 0 ? [] : [head, ...rows];
}

function stateOf({ isServing, unwell, state }: Replica): string {
  if (isServing) return unwell ? "serving, unwell" : "serving";
  return unwell && state === "running" ? "unwell" : state;
}

/** `2/3 serving` */
export function replicaState({ serving, asked }: NonNullable<Situation["replicas"]>): string {
  return `${serving}/${asked} serving`;
}

/** What is not as it should be, or not yet. */
export function replicaRemarks({ replicas }: Situation): string[] {
  if (!replicas) return [];
  const { rollout, asked, crashes = 0, nextStartAt, containers, error } = replicas;
  const next = nextStartAt ? `, next start ${localTime(nextStartAt)}` : "";
  return [
    ...(rollout ? [`exchanging for ${rollout.tag}: ${rollout.ready}/${asked} ready`] : []),
    ...(crashes > 0 ? [`${crashes} ended or did not start${next}`] : []),
    ...containers.flatMap(({ index, unwell }) =>
      unwell ? [`replica ${index + 1} is unwell: ${unwell.reason}`] : [],
    ),
    ...(error ? [`the engine does not answer: ${error}`] : []),
  ];
}
