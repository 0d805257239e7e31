import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "../table.ts";
import { type Measured, measure, type Scenario } from "./round.ts";
import { inMemoryScenario, scenariosOn, seeded } from "./scenarios.ts";
import { type Subject, startOurs, startPeers } from "./subject.ts";

/** `DEWY_BENCH_TAGS=1000` for a short one; `DEWY_BENCH_ONLY=Push` for the scenarios called so. */
const tagCount = Number(process.env.DEWY_BENCH_TAGS ?? 100_000);
const only = process.env.DEWY_BENCH_ONLY ?? "";
const mostPageMs = 20;
const mostStartMs = 300;
const mostMebibytes = 220;

/** Measures the image registry beside others in turns: one disk, one client, medians of rounds. */
export async function run(print: (line: string) => void): Promise<void> {
  const rows: string[][] = [];
  await onSubjects(tmpdir(), async (subjects) => {
    const names = subjects.map(({ name }) => `${name}/s`);
    rows.push(["", ...names, "ratio", "p99 ms", "promised", "verdict"]);
    for (const scenario of scenariosOn(await seeded(subjects))) {
      if (!scenario.name.includes(only)) continue;
      rows.push(rowOf(scenario, await measure(subjects, scenario)));
    }
    const peaks = subjects.map((subject) => subject.peakMebibytes());
    rows.push(limitRow("peak memory in MiB", peaks, mostMebibytes));
  });
  await onSubjects("/dev/shm", async (subjects) => {
    rows.push(rowOf(inMemoryScenario, await measure(subjects, inMemoryScenario)));
  });
  rows.push(...(await largeRepository()));
  for (const line of table(rows)) print(line);
}

async function onSubjects(
  below: string,
  work: (subjects: readonly Subject[]) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(below, "dewy-bench-registry-"));
  const subjects: Subject[] = [];
  try {
    subjects.push(await startOurs(root), ...(await startPeers(root)));
    await work(subjects);
  } finally {
    for (const subject of subjects) await subject.stop();
    await rm(root, { recursive: true, force: true });
  }
}

/** Ours alone: Distribution has no pages of tags. */
async function largeRepository(): Promise<string[][]> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-registry-"));
  try {
    const repository = join(root, "ours/docker/registry/v2/repositories/large/_manifests/tags");
    for (let serial = 0; serial < tagCount; serial++) {
      const tag = join(repository, `v${String(serial).padStart(7, "0")}`, "current");
      mkdirSync(tag, { recursive: true });
      writeFileSync(join(tag, "link"), `sha256:${"0".repeat(64)}`);
    }
    const ours = await startOurs(root);
    try {
      const target = "/v2/large/tags/list?n=100&last=v0000100";
      const [page] = await measure([ours], {
        ...{ name: "", clients: 1, count: 10, rounds: 2 },
        prepare: () => (connection) => connection.exchange(target, { status: 200 }),
      });
      return [
        limitRow(`100 of ${tagCount} tags, p99 in ms`, [page?.p99Ms ?? Number.NaN], mostPageMs),
        limitRow(`start with ${tagCount} tags in ms`, [ours.startMs], mostStartMs),
      ];
    } finally {
      await ours.stop();
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Beside the first of the peers, which is Debian's Distribution where that is installed. */
function rowOf({ name, promised = 1 }: Scenario, measured: readonly Measured[]): string[] {
  const [ours, theirs] = measured;
  const rates = measured.map(({ perSecond }) => perSecond.toFixed(1));
  const p99 = ours?.p99Ms.toFixed(1) ?? "";
  if (ours === undefined || theirs === undefined) return [name, ...rates, "", p99, "", "no peer"];
  const ratio = ours.perSecond / theirs.perSecond;
  const verdict = ratio >= promised ? "kept" : "MISSED";
  return [name, ...rates, ratio.toFixed(2), p99, `${promised}x`, verdict];
}

function limitRow(name: string, figures: readonly number[], most: number): string[] {
  const verdict = (figures[0] ?? Number.NaN) <= most ? "kept" : "MISSED";
  const cells = figures.map((figure) => figure.toFixed(0));
  return [name, ...cells, "", "", `<= ${most}`, verdict];
}
