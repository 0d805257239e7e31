import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measure, median } from "./round.ts";
import { startOurs } from "./subject.ts";

/** `DEWY_BENCH_TAGS=1000` and `DEWY_BENCH_BLOBS=1000` for short ones. */
const tagCount = Number(process.env.DEWY_BENCH_TAGS ?? 100_000);
const blobCount = Number(process.env.DEWY_BENCH_BLOBS ?? 1_000_000);
/** A million blobs take minutes to write: `DEWY_BENCH_KEPT=DIRECTORY` keeps them for the next time. */
const keptDirectory = process.env.DEWY_BENCH_KEPT;
const starts = 5;

export interface LargeFigure {
  name: string;
  most: number;
  measured: number;
}

const mostPageMs = 20;
const mostStartMs = 300;

/** Ours alone: Distribution has no pages of tags. Those whose name has `only` in it. */
export async function largeFigures(only: string): Promise<LargeFigure[]> {
  const page = { name: `100 of ${tagCount} tags, p99 in ms`, most: mostPageMs };
  const withTags = { name: `start with ${tagCount} tags in ms`, most: mostStartMs };
  const withBlobs = { name: `start with ${blobCount} blobs in ms`, most: mostStartMs };
  const isAsked = ({ name }: { name: string }) => name.includes(only);
  const figures: LargeFigure[] = [];
  if (isAsked(page) || isAsked(withTags)) {
    await inDirectory(undefined, async (directory) => {
      writeTags(directory);
      figures.push({ ...withTags, measured: await startMs(directory) });
      figures.push({ ...page, measured: await pageMs(directory) });
    });
  }
  if (isAsked(withBlobs)) {
    await inDirectory(keptDirectory, async (directory) => {
      writeBlobs(directory);
      figures.push({ ...withBlobs, measured: await startMs(directory) });
    });
  }
  return figures.filter(isAsked);
}

async function inDirectory(kept: string | undefined, work: (directory: string) => Promise<void>) {
  if (kept !== undefined) return await work(kept);
  const directory = await mkdtemp(join(tmpdir(), "dewy-bench-registry-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function startMs(directory: string): Promise<number> {
  spawnSync("sync"); // what was written for this is not part of it
  const times: number[] = [];
  for (let start = 0; start < starts; start++) {
    const ours = await startOurs(directory);
    times.push(ours.startMs);
    await ours.stop();
  }
  return median(times);
}

/** The round that warms up has the first page after the start, for which all names are read. */
async function pageMs(directory: string): Promise<number> {
  const ours = await startOurs(directory);
  try {
    const target = "/v2/large/tags/list?n=100&last=v0000100";
    const [pages] = await measure([ours], {
      ...{ name: "", clients: 1, count: 10, rounds: 2 },
      prepare: () => (connection) => connection.exchange(target, { status: 200 }),
    });
    return pages?.p99Ms ?? Number.NaN;
  } finally {
    await ours.stop();
  }
}

const stored = "ours/docker/registry/v2";

function writeTags(directory: string): void {
  const tags = join(directory, stored, "repositories/large/_manifests/tags");
  for (let serial = 0; serial < tagCount; serial++) {
    const tag = join(tags, `v${String(serial).padStart(7, "0")}`, "current");
    mkdirSync(tag, { recursive: true });
    writeFileSync(join(tag, "link"), `sha256:${"0".repeat(64)}`);
  }
}

function writeBlobs(directory: string): void {
  const mark = join(directory, `blobs-${blobCount}`);
  if (existsSync(mark)) return;
  const blobs = join(directory, stored, "blobs/sha256");
  for (let serial = 0; serial < blobCount; serial++) {
    const text = String(serial);
    const hex = createHash("sha256").update(text).digest("hex");
    const blob = join(blobs, hex.slice(0, 2), hex);
    mkdirSync(blob, { recursive: true });
    writeFileSync(join(blob, "data"), text);
  }
  writeFileSync(mark, "");
}
