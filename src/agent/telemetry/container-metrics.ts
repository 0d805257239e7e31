import type { Call } from "../../base/call.ts";
import { type Gauge, type Metric, openGauge } from "../../base/instruments.ts";
import type { ReplicasView, SeenReplica } from "../containers/replicas-view.ts";
import { containerStates } from "../containers/runtime.ts";

/** By the name of each app that has replicas. */
export type ReplicasViews = ReadonlyMap<string, ReplicasView>;

/** The states that the original tells, all of them for each container. */
const toldStates = containerStates.filter((state) => state !== "removing");
const ended: readonly SeenReplica["state"][] = ["exited", "dead"];

/** What is known of containers at this moment, by the names and labels of the original. */
export async function readContainerMetrics(views: ReplicasViews, call: Call): Promise<Metric[]> {
  const gauges = openGauges();
  await Promise.all(
    [...views].map(async ([app, view]) => {
      const { serving, asked } = view.counts();
      gauges.replicas.set({ app }, serving);
      gauges.desiredReplicas.set({ app }, asked);
      // What the engine does not tell is left out of this one answer; the log says why elsewhere.
      for (const replica of await view.look(call).catch(() => [])) measure(replica, app, gauges);
    }),
  );
  return views.size === 0 ? [] : Object.values(gauges).map((gauge) => gauge.read());
}

function measure(replica: SeenReplica, app: string, gauges: ReturnType<typeof openGauges>): void {
  const { name, index, state, restarts, crashes, startedAt, exitCode, oomKilled } = replica;
  const labels = { app, container: name, replica: String(index) };
  gauges.restarts.set(labels, restarts + crashes);
  gauges.unwell.set(labels, Number(replica.unwell !== undefined));
  for (const one of toldStates) gauges.status.set({ ...labels, state: one }, Number(one === state));
  gauges.info.set({ ...labels, image: replica.image, version: replica.tag }, 1);
  if (startedAt) gauges.started.set(labels, startedAt.getTime() / 1000);
  if (!ended.includes(state)) return;
  gauges.exitCode.set(labels, exitCode);
  gauges.oomKilled.set(labels, Number(oomKilled));
}

const gauge = (name: string, help: string, unit: "s" | "" = ""): Gauge =>
  openGauge({ name, help, unit });

const openGauges = () => ({
  restarts: gauge(
    "dewy.container.restarts",
    "How often a replica was started again: by the engine, and in its place by dewy since the release began.",
  ),
  status: gauge("dewy.container.status", "1 for the state that the container is in, else 0."),
  unwell: gauge("dewy.container.unwell", "1 for a container that runs and answers badly, else 0."),
  exitCode: gauge(
    "dewy.container.last_terminated.exit_code",
    "The status that a container has ended with.",
  ),
  oomKilled: gauge(
    "dewy.container.oom_killed",
    "Whether a container that has ended was killed for its memory.",
  ),
  started: gauge(
    "dewy.container.started.timestamp",
    "When a container was started, in Unix time.",
    "s",
  ),
  info: gauge("dewy.container.info", "The image and release of a container; the value is 1."),
  replicas: gauge("dewy.container.replicas", "Replicas that new connections go to."),
  desiredReplicas: gauge("dewy.container.desired_replicas", "Replicas that were asked for."),
});
