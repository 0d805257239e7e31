import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../external/program.ts";
import { type ServedRegistry, serveRegistry } from "../external/served-registry.ts";
import { walkStorage } from "../external/storage-walk.ts";
import { pull, pullOnce, push, type Stage } from "./image-players.ts";

/** `DEWY_FAULT_SECONDS=600` for a long one. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? 10);
const unusedAtOnce = "grace: 0s, trash: 3s, deleteuntagged: true";
const noCounts: Stage["counts"] = { pushes: 0, reads: 0, collections: 0, kills: 0 };

it(
  "loses nothing while two registries on one directory are pushed to, and either collects",
  async () => {
    const directory = await temporaryDirectory("shared");
    const expected: Stage["expected"] = new Map();
    const faults: string[] = [];
    const stages: Stage[] = [];
    const ends: (() => unknown)[] = [];
    const collecting = `{garbagecollect: {enabled: true, interval: 1s, ${unusedAtOnce}}}`;
    for (let index = 0; index < 2; index++) {
      const { address, child, ended, log } = await serveRegistry(directory, collecting);
      void ended.then((status) => {
        if (!stages[index]?.isOver) faults.push(`it ended with ${status}: ${log().slice(-3000)}`);
      });
      ends.push(() => child.kill() && ended);
      stages.push({ address, isOver: false, expected, faults, counts: { ...noCounts } });
    }
    const isPlayed = () => stages.every(({ counts }) => counts.pushes > 20 && counts.reads > 20);

    const players = stages.flatMap((stage, index) => [
      push(stage, `r${index}`),
      push(stage, `s${index}`),
      pull(stage),
    ]);
    await sleep(seconds * 1000);
    for (let more = 0; more < 120 && !isPlayed(); more++) await sleep(1_000); // on a slow machine
    for (const stage of stages) stage.isOver = true;
    await Promise.all(players);
    await Promise.all(ends.map((end) => end()));

    const { address } = await collected(directory); // what was begun to be taken away is half there
    const walk = await walkStorage(directory);
    expect([...walk.faults, ...faults]).toEqual([]);
    for (const [tag, digests] of expected) expect(digests, tag).toContain(walk.tags.get(tag));
    for (const [tag, digest] of walk.tags) {
      const [repository = "", name = ""] = tag.split(":");
      const stage = { expected, faults, isOver: false, address, counts: { ...noCounts } };
      expect(await pullOnce(stage, `${address}/v2/${repository}`, name), tag).toBe(digest);
    }
    expect(faults).toEqual([]);
    expect(isPlayed(), JSON.stringify(stages.map(({ counts }) => counts))).toBe(true);
  },
  (seconds + 240) * 1000,
);

/** By a third registry, when both are gone: the first time it goes on with what they have left. */
async function collected(directory: string): Promise<ServedRegistry> {
  const registry = await serveRegistry(directory, `{garbagecollect: {${unusedAtOnce}}}`);
  const collections = `${registry.address}/api/v1/garbage/collections`;
  const status = async () => {
    const answer = await fetch(`${collections}/current`);
    return ((await answer.json()) as { status: string }).status;
  };
  for (const _ of ["the rest", "all"]) {
    expect((await fetch(collections, { method: "POST" })).status).toBe(202);
    await expect.poll(status, { timeout: 60_000 }).toBe("ended");
  }
  return registry;
}
