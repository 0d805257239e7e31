import { onTestFinished } from "vitest";
import { type LoadResult, startLoad } from "../../bench/load.ts";

export interface Load {
  soFar: LoadResult;
  /** Ends it, and fails when any request has. */
  stop(): Promise<LoadResult>;
}

interface Failure {
  at: Date;
  how: string;
  step: string;
}

/** What agents have said, and what the test does. */
export interface Witness {
  /** The logs of all agents, in the order in which they were started. */
  logs(): readonly string[];
  step(): string;
}

const mostFailures = 5;
const beforeMs = 6_000;
const afterMs = 2_000;
const mostLines = 60;

/** Asks for `url` until it is stopped, or the test is over. What fails is told with what went on then. */
export function watchedLoad(url: string, witness: Witness): Load {
  const failures: Failure[] = [];
  const failed = (how: string) => failures.push({ at: new Date(), how, step: witness.step() });
  const { soFar, stop } = startLoad({ url, keepAlive: 1, fresh: 2, restMs: 10, failed });
  onTestFinished(async () => void (await stop()));
  return {
    soFar,
    async stop() {
      const result = await stop();
      if (failures.length > 0) throw new Error(report(failures, result, witness.logs()));
      return result;
    },
  };
}

function report(
  failures: readonly Failure[],
  { requests }: LoadResult,
  logs: readonly string[],
): string {
  const told = failures.slice(0, mostFailures);
  const [from, to] = [told[0]?.at, told.at(-1)?.at].map((at) => at?.getTime() ?? 0) as [
    number,
    number,
  ];
  const around = logs.flatMap((log, agent) =>
    log
      .split("\n")
      .filter((line) => isBetween(timeOf(line), from - beforeMs, to + afterMs))
      .map((line) => `  agent ${agent}: ${line}`),
  );
  return [
    `${failures.length} of ${requests} requests failed:`,
    ...told.map(({ at, how, step }) => `  ${at.toISOString()} ${how} (${step})`),
    "what was said around then:",
    ...around.slice(-mostLines),
  ].join("\n");
}

function timeOf(line: string): number {
  const [, time = ""] = /^time=(\S+)/.exec(line) ?? [];
  return new Date(time).getTime();
}

const isBetween = (at: number, first: number, last: number) => at >= first && at <= last;
