import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "../table.ts";
import { largeFigures } from "./large-storage.ts";
import { type Measured, measure, type Scenario } from "./round.ts";
import { inMemoryScenario, scenariosOn, seeded } from "./scenarios.ts";
import { type Subject, startOurs, startPeers } from "./subject.ts";

/** `DEWY_BENCH_ONLY=Push` for the scenarios called so, and `start` for the starts. */
const only = process.env.DEWY_BENCH_ONLY ?? "";
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
  if (inMemoryScenario.name.includes(only)) {
    await onSubjects("/dev/shm", async (subjects) => {
      rows.push(rowOf(inMemoryScenario, await measure(subjects, inMemoryScenario)));
    });
  }
  for (const { name, measured, most } of await largeFigures(only)) {
    rows.push(limitRow(name, [measured], most));
  }
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
