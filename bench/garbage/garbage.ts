import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "../table.ts";
import { type Collected, collectedByOurs, collectedByPeer, hasPeer } from "./collecting.ts";
import { pushesBeside, type Ways } from "./pushing.ts";

/** Six files each, so that it takes minutes to write those of `DEWY_BENCH_MANIFESTS=2000,10000,100000`. */
const counts = (process.env.DEWY_BENCH_MANIFESTS ?? "2000,10000").split(",").map(Number);
/** Distribution is asked for no more than this, as it takes longer and longer. */
const mostForPeer = Number(process.env.DEWY_BENCH_PEER_MANIFESTS ?? 10_000);

const promised = { manifests: 2_000, seconds: 5, growth: 1.5, p99: 1.5 };

/**
 * Measures collections of untagged manifests, each with a config and a layer of its own: how long they
 * take, how much memory, and what a push beside them feels of it.
 */
export async function run(print: (line: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-garbage-"));
  try {
    const ours: Collected[] = [];
    print(
      columns(
        "untagged manifests",
        "ours, s",
        "CPU, s",
        "per 1,000, s",
        "peak MiB",
        "Distribution, s",
        "CPU, s",
      ),
    );
    for (const count of counts) {
      const own = await collectedByOurs(join(root, `ours-${count}`), count);
      const isAsked = hasPeer() && count <= mostForPeer;
      const peer = isAsked ? await collectedByPeer(join(root, `peer-${count}`), count) : undefined;
      ours.push(own);
      print(rowOf(own, peer));
    }
    for (const line of verdictsOn(ours)) print(line);
    print("");
    for (const line of linesOf(await pushesBeside(join(root, "pushes")))) print(line);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function rowOf(own: Collected, peer: Collected | undefined): string {
  const { count, seconds, processorSeconds, peakMebibytes } = own;
  return columns(
    ...[String(count), seconds.toFixed(2), processorSeconds.toFixed(2)],
    ...[perThousand(own).toFixed(2), peakMebibytes.toFixed(0)],
    ...(peer ? [peer.seconds.toFixed(2), peer.processorSeconds.toFixed(2)] : ["-", "-"]),
  );
}

/** At once, as the next row may take minutes. */
function columns(...[name = "", ...cells]: string[]): string {
  return [name.padEnd(20), ...cells.map((cell) => cell.padStart(17))].join("");
}

function verdictsOn(all: readonly Collected[]): string[] {
  const lines: string[] = [];
  const first = all.find(({ count }) => count === promised.manifests);
  if (first !== undefined) {
    const { manifests, seconds } = promised;
    const isKept = first.seconds <= seconds;
    lines.push(
      promise(`${manifests} within ${seconds} s`, `${first.seconds.toFixed(2)} s`, isKept),
    );
  }
  const [smallest, largest] = [all[0], all.at(-1)];
  if (smallest !== undefined && largest !== undefined && smallest !== largest) {
    const growth = perThousand(largest) / perThousand(smallest);
    const name = `linear up to ${largest.count}: 1,000 of them cost at most ${promised.growth}× those of ${smallest.count}`;
    lines.push(promise(name, `${growth.toFixed(2)}×`, growth <= promised.growth));
  }
  return lines;
}

function linesOf(ways: Ways): string[] {
  const rows = [["pushes of 100 KiB", "alone p50, ms", "p99", "beside p50", "p99", "p99 ratio"]];
  const verdicts: string[] = [];
  for (const [name, { alone, beside }] of Object.entries(ways)) {
    const [p99, p99Beside] = [percentile(alone, 0.99), percentile(beside, 0.99)];
    const ratio = p99Beside / p99;
    const cells = [percentile(alone, 0.5), p99, percentile(beside, 0.5), p99Beside];
    rows.push([
      `${name} (${alone.length} and ${beside.length})`,
      ...cells.map((cell) => cell.toFixed(1)),
      `${ratio.toFixed(2)}×`,
    ]);
    const what = `p99 of pushes ${name} at most ${promised.p99}× that without`;
    verdicts.push(promise(what, `${ratio.toFixed(2)}×`, ratio <= promised.p99));
  }
  return [...table(rows), ...verdicts];
}

function promise(what: string, measured: string, isKept: boolean): string {
  return `${what}: ${measured}, ${isKept ? "kept" : "not kept"}`;
}

function perThousand({ seconds, count }: Collected): number {
  return (1000 * seconds) / count;
}

function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
