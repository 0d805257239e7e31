import type { Call } from "../../base/call.ts";
import type { ReplicasView } from "../containers/replicas-view.ts";

/** The body of `/api/containers`, with the fields of the original: what runs, of all apps. */
export async function containersBody(views: Iterable<ReplicasView>, call: Call): Promise<object> {
  const all = await Promise.all([...views].map((view) => view.look(call)));
  const containers = all
    .flat()
    .filter(({ state }) => state === "running")
    .map(({ id, name, image, state, address, startedAt, deployedAt, labels }) => ({
      ...{ id, name, image, status: state, ip_port: address },
      ...{ started_at: startedAt?.toISOString() ?? "", deployed_at: deployedAt, labels },
    }));
  return { containers };
}
