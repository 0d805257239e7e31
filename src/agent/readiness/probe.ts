import { setTimeout as sleep } from "node:timers/promises";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import { askByCommand, type CommandPlace } from "./command-probe.ts";
import { connectionTo } from "./connection.ts";
import type { HealthOptions, ProbeTarget } from "./health.ts";
import { ProbeError } from "./probe-error.ts";

/** Asks one release once how it is. @throws {ProbeError} */
export type Probe = (target: ProbeTarget, call: Call) => Promise<void>;

const longestProbeMs = 5_000;
const betweenTriesMs = 100;
const betweenLooksMs = 1_000;
/** One bad answer may be chance, and is nobody's end. */
const failuresAllowed = 2;

/**
 * What `health` asks for, all of it; without a word of it, that each of `ports` is accepted on.
 * `undefined` when there is nothing to ask.
 */
export function openProbe(
  health: HealthOptions,
  ports: readonly number[],
  place: CommandPlace,
): Probe | undefined {
  const { path, command, grpc, notify } = health;
  const [port] = ports;
  const probes: Probe[] = [];
  if (notify) probes.push(askNotification);
  if (path !== undefined && port !== undefined) probes.push(httpProbe(port, { ...health, path }));
  if (grpc && port !== undefined) probes.push(grpcProbe(port));
  if (command !== undefined) {
    probes.push((target, call) => askByCommand(command, place, target, call));
  }
  if (probes.length === 0) probes.push(...ports.map(portProbe));
  if (probes.length === 0) return undefined;
  return async (target, call) => {
    for (const probe of probes) await probe(target, call);
  };
}

async function askNotification({ notification }: ProbeTarget): Promise<void> {
  if (notification?.isReady ?? true) return;
  throw new ProbeError("NO_ANSWER", `it ${notification?.missing}`);
}

function portProbe(port: number): Probe {
  return async ({ pid, ...target }, call) => {
    if (pid !== undefined) (await connectionTo(port, { ...target, pid }, call)).destroy();
  };
}

function httpProbe(port: number, health: HealthOptions & { path: string }): Probe {
  return async ({ pid, ...target }, call) => {
    if (pid === undefined) return;
    const { askByHttp } = await import("./http-probe.ts");
    const { path, status, match } = health;
    const wanted = match
      ?.replaceAll("{tag}", target.tag)
      .replaceAll("{version}", target.tag.replace(/^v/, ""));
    const socket = await connectionTo(port, { ...target, pid }, call);
    await askByHttp(socket, { path, status, match: wanted }, call);
  };
}

function grpcProbe(port: number): Probe {
  return async ({ pid, ...target }, call) => {
    if (pid === undefined) return;
    const { askByGrpc } = await import("./grpc-probe.ts");
    await askByGrpc(await connectionTo(port, { ...target, pid }, call), call);
  };
}

/** Asks until the answer is good. @throws {ProbeError} `NOT_READY` when it was not within `timeoutMs` */
export async function untilReady(
  probe: Probe,
  target: ProbeTarget,
  timeoutMs: number,
  call: Call,
): Promise<void> {
  let last: unknown;
  try {
    await withTimeout("the app", timeoutMs, call, async (limited) => {
      for (;;) {
        const failure = await failureOf(probe, target, timeoutMs, limited);
        if (failure === undefined) return;
        // What the end of the time has cut off says less than what was answered before.
        if (last === undefined || !limited.signal.aborted) last = failure;
        await sleep(betweenTriesMs, undefined, limited);
      }
    });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    const message = `it was not ready within ${timeoutMs / 1000} s: ${messageOf(last)}`;
    throw new ProbeError("NOT_READY", message, {
      cause: last,
      hint: "look at what it wrote to its standard error, or give it more time by --health-timeout",
    });
  }
}

/**
 * Asks every second for `bakeMs`, and ends as soon as it is unwell: the third bad answer in a row, or
 * none that is good for `timeoutMs`.
 *
 * @throws {ProbeError} `UNHEALTHY`
 */
export async function watchOver(
  probe: Probe,
  target: ProbeTarget,
  { bakeMs, timeoutMs }: Pick<HealthOptions, "bakeMs" | "timeoutMs">,
  call: Call,
): Promise<void> {
  const began = performance.now();
  let lastGood = began;
  for (let failures = 0; failures > 0 || performance.now() - began < bakeMs; ) {
    const failure = await failureOf(probe, target, timeoutMs, call);
    call.signal.throwIfAborted();
    const now = performance.now();
    if (failure === undefined) [failures, lastGood] = [0, now];
    else failures++;
    if (failures > failuresAllowed || (failures > 0 && now - lastGood >= timeoutMs)) {
      const seconds = Math.round((now - began) / 100) / 10;
      const message = `it failed ${seconds} s after it got the traffic: ${messageOf(failure)}`;
      throw new ProbeError("UNHEALTHY", message, { cause: failure });
    }
    const leftMs = Math.max(0, bakeMs - (now - began));
    await sleep(failures > 0 ? betweenLooksMs : Math.min(betweenLooksMs, leftMs), undefined, call);
  }
}

async function failureOf(
  probe: Probe,
  target: ProbeTarget,
  timeoutMs: number,
  call: Call,
): Promise<unknown> {
  const limitMs = Math.min(longestProbeMs, timeoutMs);
  try {
    await withTimeout("a probe", limitMs, call, (limited) => probe(target, limited));
    return undefined;
  } catch (error) {
    if (error instanceof TimeoutError && error.cause instanceof ProbeError) return error.cause;
    return error;
  }
}
