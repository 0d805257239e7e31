import { setTimeout as sleep } from "node:timers/promises";
import { algorithmOf, type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";

/** What all who play have in common. */
export interface Stage {
  /** Where the registry is now: it moves whenever it is killed. */
  address: string;
  isOver: boolean;
  /** What each tag, `repository:tag`, must mean: one of these, as `undefined` is no tag at all. */
  expected: Map<string, (string | undefined)[]>;
  /** What no registry may do, whatever happens to it. */
  faults: string[];
  counts: { pushes: number; reads: number; collections: number; kills: number };
}

interface Layer {
  bytes: Buffer;
  digest: Digest;
}

/** Few, so that each push finds some of its layers there, or in the trash. */
const pool: Layer[] = Array.from({ length: 12 }, (_, index) => {
  const bytes = Buffer.alloc(5_000, `layer ${index}`);
  return { bytes, digest: digestOf(bytes, index % 4 === 0 ? "sha512" : "sha256") };
});
const repositories = ["a", "b/c"];
/** Everybody moves it, so that only a reader can say whether what it means is whole. */
const shared = "latest";

/** Pushes, mounts, moves and deletes; its tags, but the shared one, are this player's alone. */
export async function push(stage: Stage, name: string): Promise<void> {
  for (let turn = 0; !stage.isOver; turn++) {
    try {
      await pushOnce(stage, `${name}-${turn % 5}`, `${name} ${turn}`);
      stage.counts.pushes++;
    } catch {
      await sleep(20); // it was killed meanwhile, or a layer was collected before it was named
    }
  }
}

async function pushOnce(stage: Stage, tag: string, serial: string): Promise<void> {
  const { address } = stage;
  const [repository = "", other = ""] = by(0.5) ? repositories : repositories.toReversed();
  const layers = [pick(pool), pick(pool)];
  for (const layer of layers) await provide(stage, `${address}/v2/${repository}`, layer, other);
  const image = manifestOf(serial, layers);
  const index = indexOf(serial, image);
  const put = (at: string, bytes: Buffer) =>
    sent(stage, `${address}/v2/${repository}/manifests/${at}`, "PUT", 201, bytes);
  const isIndexed = by(0.3);
  if (isIndexed) await put(digestOf(image), image);
  const tagged = isIndexed ? index : image;
  await change(stage, `${repository}:${tag}`, digestOf(tagged), () => put(tag, tagged));
  if (by(0.3)) await put(shared, tagged);
  if (by(0.1)) await mountAndUnlink(stage, pick(layers), repository);
  if (by(0.7)) return;
  await change(stage, `${repository}:${tag}`, undefined, () =>
    sent(
      stage,
      `${address}/v2/${repository}/manifests/${by(0.6) ? tag : digestOf(tagged)}`,
      "DELETE",
      202,
    ),
  );
}

/** Until it is acknowledged, a tag may mean what it did before and what it shall. */
async function change(
  { expected }: Stage,
  key: string,
  to: string | undefined,
  work: () => Promise<unknown>,
): Promise<void> {
  expected.set(key, [...(expected.get(key) ?? [undefined]), to]);
  await work();
  expected.set(key, [to]);
}

/** As clients do: nothing when it is there, then a mount, then a push. */
async function provide(
  stage: Stage,
  repository: string,
  layer: Layer,
  other: string,
): Promise<void> {
  const { digest, bytes } = layer;
  const head = await asked(stage, `${repository}/blobs/${digest}`, "HEAD");
  if (head.status === 200) return;
  const mount = `${repository}/blobs/uploads/?mount=${digest}&from=${other}`;
  if ((await asked(stage, mount, "POST")).status === 201) return;
  if (by(0.5)) {
    await sent(stage, `${repository}/blobs/uploads/?digest=${digest}`, "POST", 201, bytes);
    return;
  }
  const begun = await sent(stage, `${repository}/blobs/uploads/`, "POST", 202);
  const location = begun.headers.get("location") ?? "";
  const half = bytes.length / 2;
  await sent(stage, location, "PATCH", 202, bytes.subarray(0, half));
  if (by(0.1)) return void (await sent(stage, location, "DELETE", 204));
  await sent(stage, `${location}&digest=${digest}`, "PUT", 201, bytes.subarray(half));
}

/** In a repository that has no manifests, so that none is missing anything. */
async function mountAndUnlink(stage: Stage, { digest }: Layer, from: string): Promise<void> {
  const blobs = `${stage.address}/v2/spare/blobs`;
  await sent(stage, `${blobs}/uploads/?mount=${digest}&from=${from}`, "POST", 201);
  await asked(stage, `${blobs}/${digest}`, "DELETE");
}

/** Pulls whatever is there. What it is given has to be what it was promised. */
export async function pull(stage: Stage): Promise<void> {
  while (!stage.isOver) {
    try {
      const repository = `${stage.address}/v2/${pick(repositories)}`;
      const { tags } = JSON.parse(
        `${(await sent(stage, `${repository}/tags/list`, "GET", 200)).body}`,
      );
      if (tags.length > 0) await pullOnce(stage, repository, by(0.3) ? shared : pick<string>(tags));
    } catch {
      await sleep(20);
    }
  }
}

/** `undefined` when it is not whole; the caller knows whether it may have been deleted meanwhile. */
export async function pullOnce(
  stage: Stage,
  repository: string,
  reference: string,
): Promise<Digest | undefined> {
  const answer = await asked(stage, `${repository}/manifests/${reference}`, "GET");
  if (answer.status !== 200) return undefined;
  const digest = digestOf(answer.body);
  if (answer.headers.get("docker-content-digest") !== digest) {
    stage.faults.push(`${reference}: other bytes than its digest says`);
  }
  const { config, layers = [], manifests } = JSON.parse(answer.body.toString());
  const parts: { digest: Digest }[] = manifests ?? [config, ...layers];
  const found = await Promise.all(
    parts.map((part) =>
      manifests
        ? pullOnce(stage, repository, part.digest)
        : pullBlob(stage, repository, part.digest),
    ),
  );
  stage.counts.reads++;
  return found.includes(undefined) ? undefined : digest;
}

async function pullBlob(stage: Stage, repository: string, digest: Digest) {
  const { status, body } = await asked(stage, `${repository}/blobs/${digest}`, "GET");
  if (status !== 200) return undefined;
  if (digestOf(body, algorithmOf(digest)) !== digest) stage.faults.push(`${digest}: other bytes`);
  return digest;
}

interface Asked {
  status: number;
  headers: Headers;
  body: Buffer;
}

async function asked(stage: Stage, url: string, method: string, body?: Buffer): Promise<Asked> {
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(url, { method, signal, ...(body && { body }) });
  const received = Buffer.from(await response.arrayBuffer());
  const { status, headers } = response;
  if (status >= 500) stage.faults.push(`${method} ${url}: ${status} ${received}`);
  return { status, headers, body: received };
}

async function sent(stage: Stage, url: string, method: string, status: number, body?: Buffer) {
  const answer = await asked(stage, url, method, body);
  if (answer.status !== status) throw new Error(`${method} ${url}: ${answer.status}`);
  return answer;
}

function manifestOf(serial: string, layers: readonly Layer[]): Buffer {
  const [config, ...rest] = layers.map(({ digest, bytes }) => ({
    ...{ mediaType: "a/b", digest, size: bytes.length },
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

function by(chance: number): boolean {
  return Math.random() < chance;
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}
