import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a walk through a storage directory found, each as `repository:tag`. */
export interface Walk {
  tags: Map<string, string>;
  /** Whatever a reader of the directory would stumble over. */
  faults: string[];
}

/**
 * Reads a storage directory (layout v2) without the registry, and follows every link: from tags to
 * manifests, from manifests to blobs, and from each to bytes that hash to its name.
 */
export async function walkStorage(directory: string): Promise<Walk> {
  const root = join(directory, "docker/registry/v2");
  const names = await readdir(root, { recursive: true });
  const links = names.filter((name) => name.endsWith("/link"));
  const walk: Walk = { tags: new Map(), faults: [] };
  const known = new Set(names);

  for (const name of names.filter((each) => /^blobs\/.*\/data$/.test(each))) {
    const [, algorithm = "", , hex] = name.split("/");
    if ((await hashOf(join(root, name), algorithm)) !== hex)
      walk.faults.push(`${name}: other bytes`);
  }
  for (const link of links) {
    const digest = await readFile(join(root, link), "utf8");
    // What a tag meant before is history, which may outlive its manifest; what it means may not.
    if (/\/_manifests\/tags\/[^/]+\/index\//.test(link)) continue;
    if (!known.has(dataOf(digest))) walk.faults.push(`${link}: no data`);
    const [, repository = "", tag] =
      /^repositories\/(.*)\/_manifests\/tags\/([^/]+)\/current\/link$/.exec(link) ?? [];
    if (tag === undefined) continue;
    walk.tags.set(`${repository}:${tag}`, digest);
    if (!known.has(revisionOf(repository, digest))) walk.faults.push(`${link}: no revision`);
  }
  for (const link of links.filter((each) => each.includes("/_manifests/revisions/"))) {
    const [, repository = ""] = /^repositories\/(.*)\/_manifests/.exec(link) ?? [];
    const own = await readFile(join(root, link), "utf8");
    const tags = [...walk.tags].filter(([tag, digest]) => digest === own && isIn(repository, tag));
    const manifest = await readFile(join(root, dataOf(own)));
    const { config, layers, manifests } = JSON.parse(manifest.toString());
    const place = manifests ? revisionOf : layerOf;
    for (const { digest } of manifests ?? [config, ...layers]) {
      if (!known.has(place(repository, digest))) {
        const meant = tags.map(([tag]) => tag).join() || "no tag";
        walk.faults.push(`${link} (of ${meant}): no ${digest}`);
      }
    }
  }
  return walk;
}

const isIn = (repository: string, tag: string) => tag.startsWith(`${repository}:`);

function dataOf(digest: string): string {
  const [algorithm, hex = ""] = digest.split(":");
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
}

function revisionOf(repository: string, digest: string): string {
  return `repositories/${repository}/_manifests/revisions/${digest.replace(":", "/")}/link`;
}

function layerOf(repository: string, digest: string): string {
  return `repositories/${repository}/_layers/${digest.replace(":", "/")}/link`;
}

async function hashOf(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
