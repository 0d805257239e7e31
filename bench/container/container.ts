import { join } from "node:path";
import { openStage } from "../stage.ts";
import { table } from "../table.ts";
import { countOf, type Failed } from "./clients.ts";
import { openEngine } from "./engine.ts";
import { type Played, play, type Rounds } from "./play.ts";

/** A client hears of a cut a moment later than it happened, and may have asked in between. */
const heardMs = 50;

/**
 * Rollouts of three replicas on a Docker engine of its own, with everything that goes wrong with
 * them, under load. What a replica was answering when it was killed by us nobody can save: that is
 * counted apart. `DEWY_BENCH_PART=5` plays a fifth of it.
 */
export async function run(print: (line: string) => void): Promise<void> {
  const part = Number(process.env.DEWY_BENCH_PART || 1);
  const share = (count: number) => Math.ceil(count / part);
  const rounds: Rounds = {
    ...{ rollouts: share(50), kills: share(10), restarts: share(10), broken: share(10) },
    leastRequests: share(200_000),
  };
  const stage = await openStage();
  const engine = await openEngine(join(stage.directory, "docker")).catch(async (error) => {
    await stage.close();
    throw error;
  });
  try {
    const played = await play(stage, engine, rounds, print);
    for (const line of report(played, rounds)) print(line);
    if (othersOf(played).length > 0) process.exitCode = 1;
  } finally {
    await engine.close();
    await stage.close();
  }
}

function report(played: Played, { rollouts, kills, restarts, broken }: Rounds): string[] {
  const { met, deployedMs } = played;
  const others = othersOf(played);
  const isOf = (client: string) => (one: Failed) => one.client === client;
  const rows = [...met.requests].map(([client, count]) => [
    ...[client, String(count), String(others.filter(isOf(client)).length)],
    String(met.failed.filter(isOf(client)).length - others.filter(isOf(client)).length),
  ]);
  return [
    `${rollouts} rollouts, ${broken} broken images, ${restarts} restarts of the agent, ${kills} kills of a replica`,
    `push to first answer: ${spread(deployedMs)} (polling every second)`,
    ...table([["requests", "all", "failed", "in flight on a killed replica"], ...rows]),
    `${countOf(met)} requests, ${others.length} failed`,
    ...others.map(({ client, beganAt, failedAt, why }) => {
      return `failed: ${client}, begun ${new Date(beganAt).toISOString()}, after ${failedAt - beganAt} ms: ${why}`;
    }),
  ];
}

/** Those that failed otherwise than by being on a replica when we killed it. */
function othersOf({ met, killedAt }: Played): Failed[] {
  const isCut = ({ why }: Failed) => /ECONNRESET|socket hang up|aborted|EPIPE|not whole/.test(why);
  return met.failed.filter(
    (one) =>
      !isCut(one) ||
      !killedAt.some((at) => one.beganAt <= at + heardMs && one.failedAt >= at - heardMs),
  );
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0);
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms of ${sorted.length}`;
}
