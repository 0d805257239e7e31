import { setTimeout as sleep } from "node:timers/promises";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { CommandPlace } from "./command-probe.ts";
import { connectionTo } from "./connection.ts";
import type { HealthOptions, ProbeTarget } from "./health.ts";
import { allOf, type Connect, type Probe, probesFor } from "./health-probes.ts";
import { watchPauses } from "./pauses.ts";
import { ProbeError } from "./probe-error.ts";

export const longestProbeMs = 5_000;
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
  const connections = ports.map(acceptedOn);
  const probes = probesFor(health, connections[0], place);
  if (probes.length === 0) probes.push(...connections.map(portProbe));
  return allOf(probes);
}

function acceptedOn(port: number): Connect {
  return async ({ pid, ...target }, call) =>
    pid === undefined ? undefined : connectionTo(port, { ...target, pid }, call);
}

function portProbe(connect: Connect): Probe {
  return async (target, call) => {
    (await connect(target, call))?.destroy();
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
      hint: "dewy logs shows what it wrote; --health-timeout gives it more time",
    });
  }
}

/**
 * Asks every second for `bakeMs`, and ends as soon as it is unwell: the third bad answer in a row, or
 * none that is good for `timeoutMs`. While this process was paused nobody listened: that time does not
 * count, nor does a bad answer that it was in.
 *
 * @throws {ProbeError} `UNHEALTHY`
 */
export async function watchOver(
  probe: Probe,
  target: ProbeTarget,
  { bakeMs, timeoutMs }: Pick<HealthOptions, "bakeMs" | "timeoutMs">,
  call: Call,
): Promise<void> {
  const pauses = watchPauses();
  let began = performance.now();
  let lastGood = began;
  let failure: unknown;
  try {
    for (let failures = 0; failure !== undefined || performance.now() - began < bakeMs; ) {
      leaveOut(pauses.takeMs());
      const limitMs = answerWithinMs(timeoutMs, performance.now() - lastGood);
      failure = await failureOf(probe, target, limitMs, call);
      call.signal.throwIfAborted();
      const [now, pausedMs] = [performance.now(), pauses.takeMs()];
      leaveOut(pausedMs);
      if (failure === undefined) [failures, lastGood] = [0, now];
      else if (pausedMs === 0) failures++;
      const isBad = failure !== undefined;
      if (failures > failuresAllowed || (isBad && now - lastGood >= timeoutMs)) {
        throw unhealthy(failure, now - began);
      }
      const leftMs = isBad ? timeoutMs - (now - lastGood) : bakeMs - (now - began);
      await sleep(Math.max(0, Math.min(betweenLooksMs, leftMs)), undefined, call);
    }
  } finally {
    pauses.close();
  }

  function leaveOut(pausedMs: number): void {
    began += pausedMs;
    lastGood += pausedMs;
  }
}

function unhealthy(cause: unknown, afterMs: number): ProbeError {
  const seconds = Math.round(afterMs / 100) / 10;
  const message = `it failed ${seconds} s after it got the traffic: ${messageOf(cause)}`;
  return new ProbeError("UNHEALTHY", message, { cause });
}

/**
 * How long one answer may take while a release bakes that was good `sinceGoodMs` ago: what is left of
 * `timeoutMs`, five seconds at the most, and a second at the least. So whatever hangs is found out a
 * second after `timeoutMs`.
 */
export function answerWithinMs(timeoutMs: number, sinceGoodMs: number): number {
  const leastMs = Math.min(betweenLooksMs, timeoutMs);
  return Math.min(longestProbeMs, Math.max(leastMs, timeoutMs - sinceGoodMs));
}

/** Asks once, for five seconds at the most. @returns why the answer was bad, if it was */
export async function failureOf(
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
