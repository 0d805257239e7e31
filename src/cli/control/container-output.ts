import { join } from "node:path";
import { openContainerRuntime } from "../../agent/containers/docker.ts";
import {
  type ReplicaLine,
  readContainerOutput,
  type WantedLines,
} from "../../agent/containers/read-container-output.ts";
import { holdsImage } from "../../agent/containers/release-image.ts";
import { labelsOf } from "../../agent/containers/replica.ts";
import { ContainerError, type ContainerRuntime } from "../../agent/containers/runtime.ts";
import type { Situation } from "../../agent/control/situation.ts";
import type { CommandContext } from "../command.ts";

/** Whether what an app writes is kept by an engine. */
export async function isOfContainers({ mode, directory }: Situation): Promise<boolean> {
  return mode === "container" || (await holdsImage(join(directory, "current")));
}

/** What the containers of an app have written, by the engine that its agent uses. @throws {ContainerError} when no engine tells */
export async function* containerOutput(
  { directory, replicas }: Situation,
  wanted: WantedLines,
  context: CommandContext,
): AsyncGenerator<ReplicaLine> {
  const { engine } = replicas ?? {};
  const runtime = engine
    ? openContainerRuntime({
        ...{ runtime: engine.runtime, directory },
        environment: { ...context.environment, ...engine.environment },
      })
    : await engineOf(directory, context);
  yield* readContainerOutput(directory, wanted, { ...context, runtime }, context);
}

/** What the release wrote that failed last, where none was deployed since: its containers are gone. */
export function lastFailed({ quarantined = [], active }: Situation) {
  const [newest] = [...quarantined].sort((a, b) => (a.at < b.at ? 1 : -1));
  return newest && newest.at > (active?.since ?? "") ? newest : undefined;
}

/** The engine that has containers of the app; where none has, the first, when all have answered. */
async function engineOf(directory: string, context: CommandContext): Promise<ContainerRuntime> {
  const answering: ContainerRuntime[] = [];
  const failures: ContainerError[] = [];
  for (const runtime of ["docker", "podman"] as const) {
    const { environment } = context;
    const engine = openContainerRuntime({ runtime, environment, directory });
    try {
      if ((await engine.list(labelsOf({ directory }), context)).length > 0) return engine;
      answering.push(engine);
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error;
      if (error.code !== "MISSING") failures.push(error);
    }
  }
  const [first] = answering;
  if (first && failures.length === 0) return first;
  throw (
    failures[0] ??
    new ContainerError("MISSING", "there is neither docker nor podman on PATH", {
      hint: "add the directory of one of them to PATH",
    })
  );
}
