import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { ReplicasView, SeenReplica } from "../containers/replicas-view.ts";
import type { Situation } from "./situation.ts";

type Replicas = NonNullable<Situation["replicas"]>;

/** What is known of an app's containers; of an engine that does not answer, what is known without it. */
export async function replicasOf(view: ReplicasView, call: Call): Promise<Replicas> {
  const { serving, asked, rollout, crashes, nextStartAt } = view.counts();
  const { name: runtime, variables: environment } = view.engine;
  const known = {
    ...{ engine: { runtime, environment }, serving, asked },
    ...(rollout && { rollout }),
    ...(crashes > 0 && { crashes }),
    ...(nextStartAt && { nextStartAt: nextStartAt.toISOString() }),
  };
  try {
    return { ...known, containers: (await view.look(call)).map(toldOf) };
  } catch (error) {
    return { ...known, containers: [], error: messageOf(error) };
  }
}

function toldOf(replica: SeenReplica): Replicas["containers"][number] {
  const { id, name, index, tag, state, isServing, connections, crashes, startedAt } = replica;
  const { since: unwellSince, reason } = replica.unwell ?? {};
  const since = startedAt && { since: startedAt.toISOString() };
  const unwell =
    unwellSince && reason !== undefined
      ? { unwell: { since: unwellSince.toISOString(), reason } }
      : {};
  return { id, name, index, tag, state, isServing, connections, crashes, ...since, ...unwell };
}
