import type { Socket } from "node:net";
import type { Call } from "../../base/call.ts";
import { askByCommand, type CommandPlace } from "./command-probe.ts";
import type { HealthOptions, ProbeTarget } from "./health.ts";
import { ProbeError } from "./probe-error.ts";

/** Asks one release once how it is. @throws {ProbeError} */
export type Probe = (target: ProbeTarget, call: Call) => Promise<void>;

/** A connection that the release itself has accepted; `undefined` where there is nobody to ask. */
export type Connect = (target: ProbeTarget, call: Call) => Promise<Socket | undefined>;

/** What `health` asks for; what is asked of a port goes over `first`, and is left out without one. */
export function probesFor(
  health: HealthOptions,
  first: Connect | undefined,
  place: CommandPlace,
): Probe[] {
  const { path, command, grpc, notify } = health;
  const probes: Probe[] = [];
  if (notify) probes.push(askNotification);
  if (path !== undefined && first) probes.push(httpProbe(first, { ...health, path }));
  if (grpc && first) probes.push(grpcProbe(first));
  if (command !== undefined) {
    probes.push((target, call) => askByCommand(command, place, target, call));
  }
  return probes;
}

/** One after the other; `undefined` when there is nothing to ask. */
export function allOf(probes: readonly Probe[]): Probe | undefined {
  if (probes.length === 0) return undefined;
  return async (target, call) => {
    for (const probe of probes) await probe(target, call);
  };
}

async function askNotification({ notification }: ProbeTarget): Promise<void> {
  if (notification?.isReady ?? true) return;
  throw new ProbeError("NO_ANSWER", `it ${notification?.missing}`);
}

function httpProbe(connect: Connect, health: HealthOptions & { path: string }): Probe {
  const { path, status, match } = health;
  return async (target, call) => {
    const { askByHttp } = await import("./http-probe.ts");
    const wanted = match
      ?.replaceAll("{tag}", target.tag)
      .replaceAll("{version}", target.tag.replace(/^v/, ""));
    const socket = await connect(target, call);
    if (socket) await askByHttp(socket, { path, status, match: wanted }, call);
  };
}

function grpcProbe(connect: Connect): Probe {
  return async (target, call) => {
    const { askByGrpc } = await import("./grpc-probe.ts");
    const socket = await connect(target, call);
    if (socket) await askByGrpc(socket, call);
  };
}
