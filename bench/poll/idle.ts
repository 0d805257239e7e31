import { choose } from "../../src/agent/choose/choose.ts";
import { rulesOf } from "../../src/agent/choose/rules.ts";
import { thisHost } from "../../src/agent/host.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import type { Call } from "../../src/base/call.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { table, times } from "../table.ts";
import type { Subject } from "./subject.ts";

const polls = 1000;
/** What is asked when a connection is new, and how many polls a list of pages takes to be known. */
const warmUpPolls = 5;
const intervalMs = 10_000;
const longestMs = 300_000;

/** What 1,000 polls cost. */
export interface IdleCost {
  requests: number;
  counted: number;
  sentBytes: number;
  receivedBytes: number;
}

export interface IdleFigures {
  name: string;
  isFree: boolean;
  ours: IdleCost;
  peer: IdleCost;
}

/** 1,000 polls that find nothing new, by the agent's own code and then by what does as the original. */
export async function measureIdle(subject: Subject): Promise<IdleFigures> {
  const clock = compressedClock();
  const http = openHttpClient({ userAgent: "dewy/bench" });
  const call = { signal: AbortSignal.timeout(longestMs) };
  const parts = { http, clock };
  try {
    const poll = await openPoll(subject, parts);
    const ours = await costOf(subject, clock, () => poll(call));
    const peer = await subject.openPeer(parts);
    try {
      const { name, isFree } = subject;
      return { name, isFree, ours, peer: await costOf(subject, clock, () => peer.poll(call)) };
    } finally {
      peer.close();
    }
  } finally {
    http.close();
  }
}

async function openPoll(
  { registry: url, environment }: Subject,
  parts: { http: ReturnType<typeof openHttpClient>; clock: Clock },
): Promise<(call: Call) => Promise<void>> {
  const { registry, rules: query } = await openReleaseRegistry(url, { ...parts, environment });
  const rules = await rulesOf(query, {}, thisHost());
  const choosing = { clock: parts.clock, logger: silentLogger, warned: new Set<string>() };
  let first: string | undefined;
  return async (call) => {
    const choice = await choose(registry, rules, choosing, call);
    first ??= choice?.tag;
    if (choice === undefined || choice.tag !== first) throw new Error(`${url} is not idle`);
  };
}

async function costOf(
  { meters, isCounted }: Subject,
  clock: { advance(): void },
  poll: () => Promise<void>,
): Promise<IdleCost> {
  for (let left = warmUpPolls; left > 0; left--) await poll();
  for (const meter of meters) meter.reset();
  for (let left = polls; left > 0; left--) {
    clock.advance();
    await poll();
  }
  const readings = meters.map((meter) => meter.reading());
  const sightings = readings.flatMap((reading) => reading.sightings);
  const sum = (bytes: "sentBytes" | "receivedBytes") =>
    readings.reduce((total, reading) => total + reading[bytes], 0);
  return {
    requests: sightings.length,
    counted: sightings.filter(isCounted).length,
    sentBytes: sum("sentBytes"),
    receivedBytes: sum("receivedBytes"),
  };
}

/** Ten seconds go by from poll to poll, so that tokens end as they do. */
function compressedClock(): Clock & { advance(): void } {
  let aheadMs = 0;
  return {
    ...systemClock,
    now: () => new Date(Date.now() + aheadMs),
    advance: () => {
      aheadMs += intervalMs;
    },
  };
}

export function idleTable(all: readonly IdleFigures[]): string[] {
  const head = [`${polls} idle polls`, "requests", "counted", "promised", "KiB up", "KiB down"];
  const peerHead = ["peer: requests", "counted", "KiB", "peer / ours: requests", "bytes"];
  const rows = all.map(({ name, isFree, ours, peer }) => [
    ...[name, `${ours.requests}`, `${ours.counted}`, isFree ? "0" : "-"],
    ...[kibibytes(ours.sentBytes), kibibytes(ours.receivedBytes)],
    ...[`${peer.requests}`, `${peer.counted}`, kibibytes(bytesOf(peer))],
    ...[times(ours.requests, peer.requests), times(bytesOf(ours), bytesOf(peer))],
  ]);
  return table([[...head, ...peerHead], ...rows]);
}

const bytesOf = ({ sentBytes, receivedBytes }: IdleCost): number => sentBytes + receivedBytes;

const kibibytes = (bytes: number): string => (bytes / 1024).toFixed(0);
