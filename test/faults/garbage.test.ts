import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { temporaryDirectory } from "../external/program.ts";
import { program, type ServedRegistry, serveRegistry } from "../external/served-registry.ts";
import { walkStorage } from "../external/storage-walk.ts";

/** `DEWY_FAULT_SECONDS=600` for a long one. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? (process.env.CI ? 60 : 12));
const clients = 4;
/** Few, so that each push finds some of its layers there, or in the trash. */
const pool = Array.from({ length: 12 }, (_, index) => Buffer.alloc(5_000, `layer ${index}`));
const unusedAtOnce = "{garbagecollect: {grace: 0s, trash: 3s, deleteuntagged: true";

/** What each tag, `repository:tag`, must mean: one of these, as `undefined` is no tag at all. */
type Expected = Map<string, (string | undefined)[]>;

it(
  "loses nothing while everything is pushed, moved, deleted, collected and killed at once",
  async () => {
    const directory = await temporaryDirectory("garbage");
    const expected: Expected = new Map();
    const stage = { registry: await served(directory), isOver: false, pushes: 0, collections: 0 };
    const config = await collectorConfig(directory);

    const players = [
      ...Array.from({ length: clients }, (_, index) => play(stage, `c${index}`, expected)),
      collectAndKill(stage, config),
      restart(stage, directory),
    ];
    await Promise.race([sleep(seconds * 1000), Promise.all(players)]);
    stage.isOver = true;
    await Promise.all(players);
    stage.registry.child.kill("SIGKILL");
    await stage.registry.ended;
    expect(await ended(collector(config))).toBe(0);

    const { tags, faults } = await walkStorage(directory);
    expect(faults).toEqual([]);
    for (const [tag, digests] of expected) expect(digests, tag).toContain(tags.get(tag));
    expect(stage.pushes).toBeGreaterThan(20);
    expect(stage.collections).toBeGreaterThan(1);
  },
  (seconds + 60) * 1000,
);

interface Stage {
  registry: ServedRegistry;
  isOver: boolean;
  pushes: number;
  collections: number;
}

function served(directory: string): Promise<ServedRegistry> {
  return serveRegistry(directory, `${unusedAtOnce}, enabled: true, interval: 1s}}`);
}

/** Pushes, moves and deletes, with tags and manifests that are this player's alone. */
async function play(stage: Stage, name: string, expected: Expected): Promise<void> {
  for (let turn = 0; !stage.isOver; turn++) {
    try {
      await playOnce(stage, `${name}-${turn % 5}`, `${name} ${turn}`, expected);
      stage.pushes++;
    } catch {
      await sleep(20); // it was killed meanwhile, or a layer was collected before it was named
    }
  }
}

async function playOnce(
  { registry: { address } }: Stage,
  tag: string,
  serial: string,
  expected: Expected,
): Promise<void> {
  const [repository = "a", other = "b/c"] = Math.random() < 0.5 ? ["a", "b/c"] : ["b/c", "a"];
  const layers = [pick(pool), pick(pool)];
  for (const layer of layers) await provide(`${address}/v2/${repository}`, layer, other);
  const image = manifestOf(serial, layers);
  const index = indexOf(serial, image);
  const isIndexed = Math.random() < 0.3;
  const [body, reference] = isIndexed ? [image, digestOf(image)] : [image, tag];
  const key = `${repository}:${tag}`;
  const put = (at: string, bytes: Buffer) =>
    sent(`${address}/v2/${repository}/manifests/${at}`, "PUT", 201, bytes);
  if (isIndexed) await put(reference, body);
  const change = async (to: string | undefined, work: () => Promise<unknown>) => {
    expected.set(key, [...(expected.get(key) ?? [undefined]), to]);
    await work();
    expected.set(key, [to]);
  };
  const tagged = isIndexed ? index : image;
  await change(digestOf(tagged), () => put(tag, tagged));
  const at = Math.random();
  const gone = at < 0.2 ? tag : at < 0.3 ? digestOf(tagged) : undefined;
  if (gone === undefined) return;
  await change(undefined, () =>
    sent(`${address}/v2/${repository}/manifests/${gone}`, "DELETE", 202),
  );
}

/** As clients do: nothing when it is there, then a mount, then a push. */
async function provide(repository: string, layer: Buffer, other: string): Promise<void> {
  const digest = digestOf(layer);
  const signal = AbortSignal.timeout(10_000);
  const head = await fetch(`${repository}/blobs/${digest}`, { method: "HEAD", signal });
  if (head.status === 200) return;
  const mount = `${repository}/blobs/uploads/?mount=${digest}&from=${other}`;
  if ((await fetch(mount, { method: "POST", signal })).status === 201) return;
  await sent(`${repository}/blobs/uploads/?digest=${digest}`, "POST", 201, layer);
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
    if ((await end) === 0) stage.collections++;
  }
}

async function restart(stage: Stage, directory: string): Promise<void> {
  while (!stage.isOver) {
    await sleep(1_000 + Math.random() * 2_000);
    stage.registry.child.kill("SIGKILL");
    await stage.registry.ended;
    stage.registry = await served(directory);
    stage.collections++; // at the least, it has begun
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

function manifestOf(serial: string, layers: Buffer[]): Buffer {
  const [config, ...rest] = layers.map((layer) => ({
    ...{ mediaType: "a/b", digest: digestOf(layer), size: layer.length },
  }));
  const head = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, annotations: { serial } };
  return Buffer.from(JSON.stringify({ ...head, config, layers: rest }));
}

function indexOf(serial: string, image: Buffer): Buffer {
  const mediaType = mediaTypes.ociManifest;
  const manifests = [{ mediaType, digest: digestOf(image), size: image.length }];
  const head = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, annotations: { serial } };
  return Buffer.from(JSON.stringify({ ...head, manifests }));
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

async function sent(url: string, method: string, status: number, body?: Buffer): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(url, { method, signal, ...(body && { body }) });
  if (response.status !== status) throw new Error(`${method} ${url}: ${response.status}`);
  await response.arrayBuffer();
}
