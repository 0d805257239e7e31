import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../external/program.ts";
import { program, type ServedRegistry, serveRegistry } from "../external/served-registry.ts";
import { walkStorage } from "../external/storage-walk.ts";
import { pull, pullOnce, push, type Stage } from "./image-players.ts";

/** `DEWY_FAULT_SECONDS=600` for a long one. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? 30);
const unusedAtOnce = "{garbagecollect: {grace: 0s, trash: 3s, deleteuntagged: true";

it(
  "loses nothing while everything is pushed, moved, deleted, collected and killed at once",
  async () => {
    const directory = await temporaryDirectory("garbage");
    const config = await collectorConfig(directory);
    let registry = await served(directory);
    const stage: Stage = {
      ...{ address: registry.address, isOver: false, expected: new Map(), faults: [] },
      counts: { pushes: 0, reads: 0, collections: 0, kills: 0 },
    };
    const killAndRestart = async () => {
      while (!stage.isOver) {
        await sleep(1_000 + Math.random() * 2_000);
        registry.child.kill("SIGKILL");
        await registry.ended;
        registry = await served(directory);
        stage.address = registry.address;
        stage.counts.kills++;
      }
    };

    const pushers = Array.from({ length: 4 }, (_, index) => push(stage, `c${index}`));
    const players = [
      ...pushers,
      pull(stage),
      pull(stage),
      collectAndKill(stage, config),
      killAndRestart(),
    ];
    await Promise.race([playedEnough(stage), Promise.all(players)]);
    stage.isOver = true;
    await Promise.all(players);
    registry.child.kill("SIGKILL");
    await registry.ended;
    expect(await ended(collector(config))).toBe(0);

    const { tags, faults } = await walkStorage(directory);
    expect([...faults, ...stage.faults]).toEqual([]);
    for (const [tag, digests] of stage.expected) expect(digests, tag).toContain(tags.get(tag));
    const { address } = await serveRegistry(directory);
    for (const [tag, digest] of tags) {
      const [repository = "", name = ""] = tag.split(":");
      expect(await pullOnce(stage, `${address}/v2/${repository}`, name), tag).toBe(digest);
    }
    expect(stage.faults).toEqual([]);
    expect(hasSeenEnough(stage), JSON.stringify(stage.counts)).toBe(true);
  },
  (seconds + 240) * 1000,
);

/** A slow machine is given more time. */
async function playedEnough(stage: Stage): Promise<void> {
  await sleep(seconds * 1000);
  for (let more = 0; more < 120 && !hasSeenEnough(stage); more++) await sleep(1_000);
}

function hasSeenEnough({ counts }: Stage): boolean {
  const { pushes, reads, kills, collections } = counts;
  return pushes > 20 && reads > 20 && kills + collections > 1;
}

function served(directory: string): Promise<ServedRegistry> {
  return serveRegistry(directory, `${unusedAtOnce}, enabled: true, interval: 1s}}`);
}

/** Collections of another process, which are killed at some instant; one in four may end. */
async function collectAndKill(stage: Stage, config: string): Promise<void> {
  while (!stage.isOver) {
    const child = collector(config);
    const end = ended(child);
    if (Math.random() < 0.75) {
      await Promise.race([end, sleep(200 + Math.random() * 1_000)]);
      child.kill("SIGKILL");
    }
    if ((await end) === 0) stage.counts.collections++;
  }
}

async function collectorConfig(directory: string): Promise<string> {
  const file = join(await temporaryDirectory("collector"), "config.yml");
  const storage = `storage: {filesystem: {rootdirectory: ${directory}}, maintenance: ${unusedAtOnce}}}}`;
  await writeFile(file, `version: 0.1\n${storage}\n`);
  return file;
}

function collector(config: string): ChildProcess {
  const args = [program, "registry", "garbage-collect", "--quiet", config];
  return spawn(process.execPath, args, { stdio: "ignore" });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("close", resolve));
}
