import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { CommandPlace } from "../readiness/command-probe.ts";
import type { HealthOptions } from "../readiness/health.ts";
import { allOf, type Probe, probesFor } from "../readiness/health-probes.ts";
import { untilReady } from "../readiness/probe.ts";
import { ProbeError } from "../readiness/probe-error.ts";
import { type Address, type Container, ContainerError, type ContainerRuntime } from "./runtime.ts";

export interface ContainerProbeOptions {
  health: HealthOptions;
  place: CommandPlace;
  /** Where each port of the container is reached, the first one first. */
  addresses: readonly Address[];
  hasHealthcheck: boolean;
}

/** An engine's own proxy accepts for a container that does not, and closes a moment later. */
const acceptedMs = 150;
/** Each look starts a program, while the replica itself needs the processor. */
const betweenLooksMs = 500;
const logTailLines = 50;

/**
 * What `health` asks for; without a word of it that every port is accepted on; without a port what
 * the image's own HEALTHCHECK says; `undefined` when there is nothing to ask.
 */
function openContainerProbe(
  container: Container,
  { health, place, addresses, hasHealthcheck }: ContainerProbeOptions,
  runtime: ContainerRuntime,
): Probe | undefined {
  const [first] = addresses;
  const probes = probesFor(health, first && ((_, call) => connectionTo(first, call)), place);
  if (probes.length === 0) probes.push(...addresses.map(acceptProbe));
  if (probes.length === 0 && hasHealthcheck) probes.push(healthcheckProbe(container.id, runtime));
  return allOf(probes);
}

/**
 * Waits until the container has shown that it works.
 *
 * @throws {ProbeError} `NOT_READY`
 * @throws {ContainerError} `NOT_STARTED` when it ends meanwhile
 */
export async function untilContainerReady(
  container: Container,
  tag: string,
  options: ContainerProbeOptions,
  runtime: ContainerRuntime,
  call: Call,
): Promise<void> {
  const { timeoutMs, minimumUptimeMs } = options.health;
  const over = new AbortController();
  const limited = { signal: AbortSignal.any([call.signal, over.signal]) };
  const probe = openContainerProbe(container, options, runtime);
  const ready = probe
    ? untilReady(probe, { tag, pid: container.pid }, timeoutMs, limited)
    : sleep(minimumUptimeMs, undefined, limited);
  const death = untilDead(container, runtime, limited);
  try {
    await Promise.race([ready, death]);
  } finally {
    over.abort();
    await Promise.allSettled([ready, death]);
  }
}

/** What `health` asks for by name, as that is meant to be asked often; `undefined` without a word of it. */
export function namedProbe({ health, place, addresses }: ContainerProbeOptions): Probe | undefined {
  const [first] = addresses;
  return allOf(probesFor(health, first && ((_, call) => connectionTo(first, call)), place));
}

/** Asks one time whether it works. @throws {ProbeError} */
export async function askContainer(
  container: Container,
  tag: string,
  options: ContainerProbeOptions,
  runtime: ContainerRuntime,
  call: Call,
): Promise<void> {
  await openContainerProbe(container, options, runtime)?.({ tag, pid: container.pid }, call);
}

/** Of one that runs now: rejects when it has ended, with what it wrote last. */
export async function untilDead(
  { id, name }: Container,
  runtime: ContainerRuntime,
  call: Call,
): Promise<never> {
  for (;;) {
    await sleep(betweenLooksMs, undefined, call);
    const now = await runtime.inspect(id, call);
    if (now?.state !== "running") throw await deathOf(name, now, runtime, call);
  }
}

/** What is said of a container that was to run and does not. */
export async function deathOf(
  name: string,
  container: Container | undefined,
  runtime: ContainerRuntime,
  call: Call,
): Promise<ContainerError> {
  if (!container) return new ContainerError("NOT_STARTED", `${name} was removed by somebody`);
  const how = container.oomKilled
    ? "was killed, since it took more memory than it may have"
    : `ended with status ${container.exitCode}`;
  const said = await runtime.logTail(container.id, logTailLines, call).catch(() => undefined);
  const hint =
    said?.length === 0
      ? `it wrote nothing: start it by hand, by ${runtime.name} run --rm ${container.image}`
      : "look at what it wrote, by dewy status";
  const error = new ContainerError("NOT_STARTED", `the container ${how}`, { hint });
  error.logTail = said ?? [];
  return error;
}

function acceptProbe(address: Address): Probe {
  return async (_, call) => {
    const socket = await connectionTo(address, call);
    try {
      const ended = once(socket, "close", call).then(() => true);
      socket.resume();
      const isClosed = await Promise.race([ended, sleep(acceptedMs, false, call)]);
      ended.catch(() => {});
      if (isClosed) throw new ProbeError("NO_ANSWER", `nobody accepts on ${phrase(address)}`);
    } finally {
      socket.destroy();
    }
  };
}

function healthcheckProbe(id: string, runtime: ContainerRuntime): Probe {
  return async (_, call) => {
    const { health } = (await runtime.inspect(id, call)) ?? {};
    if (health === "healthy") return;
    throw new ProbeError("WRONG_ANSWER", `the image's HEALTHCHECK says ${health ?? "nothing yet"}`);
  };
}

async function connectionTo(address: Address, call: Call): Promise<Socket> {
  const socket = connect(address);
  socket.on("error", () => {}); // told by whoever waits for it
  try {
    await once(socket, "connect", call);
    return socket;
  } catch (cause) {
    socket.destroy();
    throw new ProbeError("NO_ANSWER", `${phrase(address)}: ${messageOf(cause)}`, { cause });
  }
}

function phrase({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
