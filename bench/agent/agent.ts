import { table } from "../table.ts";
import { measureApps } from "./apps.ts";
import { artifactMebibytes, measureArtifact, mostAddedMb } from "./artifact.ts";
import { growthPolls, measureGrowth, mostGrowthMb } from "./growth.ts";
import { type Memory, megabytes, memoryOfBareNode } from "./process-figures.ts";
import { measureStarts, slowestStartMs } from "./starts.ts";

type Print = (line: string) => void;

/** What an agent costs: memory and processor, for one app and for many, and what makes it grow. */
export async function run(print: Print): Promise<void> {
  const bare = await memoryOfBareNode();
  const sections = [
    await starts(print),
    await apps(bare, print),
    await growth(print),
    await artifact(print),
  ];
  if (sections.includes("broken")) process.exitCode = 1;
}

type Promised = "kept" | "broken";

const verdict = (isKept: boolean): Promised => (isKept ? "kept" : "broken");

async function starts(print: Print): Promise<Promised> {
  const { ours, bare } = await measureStarts();
  const figures = `${ours.toFixed(0)} ms, under ${slowestStartMs} ms promised`;
  print(`dewy --version, median: ${figures}; ${(ours / bare).toFixed(2)} times Node itself`);
  return verdict(ours <= slowestStartMs);
}

async function apps(bare: Memory, print: Print): Promise<Promised> {
  const all = [];
  for (const count of [1, 10, 50]) all.push(await measureApps(count));
  const rows = all.map(({ apps: count, nowMb, peakMb, mostMb, threads, cpuPerPollMs }) => [
    ...[`${count}`, megabytes(nowMb), `${mostMb}`, megabytes(peakMb)],
    ...[(nowMb / bare.nowMb).toFixed(2), `${threads}`, `${bare.threads}`, cpuPerPollMs.toFixed(2)],
    `${((cpuPerPollMs * count) / 100).toFixed(3)} %`,
  ]);
  const head = ["apps in one process", "resident MB", "promised at most", "highest"];
  const rest = ["times bare Node", "threads", "of bare Node", "CPU ms per poll", "CPU at 10 s"];
  print("");
  for (const line of table([[...head, ...rest], ...rows])) print(line);
  print(
    "of the agent alone; each app is a shell script with a repository of its own, polled each second",
  );
  return verdict(all.every(({ nowMb, mostMb }) => nowMb <= mostMb));
}

async function growth(print: Print): Promise<Promised> {
  const { readings, seconds } = await measureGrowth();
  const [before, after] = readings;
  if (before === undefined || after === undefined) throw new Error("there are no two readings");
  const row = (name: string, from: number, to: number, promised: string) => [
    ...[name, megabytes(from), megabytes(to), megabytes(to - from), promised],
  ];
  const promised = `${mostGrowthMb}`;
  const rows = [
    ["MB", "before", `after ${growthPolls} polls`, "growth", "promised at most"],
    row("resident", before.residentMb, after.residentMb, promised),
    row("resident, collected", before.residentAfterGcMb, after.residentAfterGcMb, promised),
    row("heap, collected", before.heapMb, after.heapMb, "-"),
  ];
  print("");
  for (const line of table(rows)) print(line);
  print(`no pause between polls: ${((seconds / growthPolls) * 1000).toFixed(2)} ms each`);
  const grown = [
    after.residentMb - before.residentMb,
    after.residentAfterGcMb - before.residentAfterGcMb,
  ];
  return verdict(grown.every((value) => value <= mostGrowthMb));
}

async function artifact(print: Print): Promise<Promised> {
  const { idleMb, peakMb } = await measureArtifact();
  const added = peakMb - idleMb;
  const rows = [
    ["MB resident", "idle", "highest", "added", "promised at most", "held whole it would be"],
    [
      `an artifact of ${artifactMebibytes} MiB`,
      ...[megabytes(idleMb), megabytes(peakMb), megabytes(added), `${mostAddedMb}`],
      `${artifactMebibytes}: ${(artifactMebibytes / added).toFixed(0)} times that`,
    ],
  ];
  print("");
  for (const line of table(rows)) print(line);
  return verdict(added <= mostAddedMb);
}
