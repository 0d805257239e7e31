import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";

const root = "docker/registry/v2";
const revisions = "repositories/a/_manifests/revisions/sha256";

/**
 * Writes what pushing `count` images by digest leaves, an hour ago, each with a config and a layer of
 * its own, and one more that has a tag: pushing itself would take minutes, and going through Node's threads for each of so many
 * small files a multiple of this.
 */
export function fill(directory: string, count: number): void {
  const at = new Date(Date.now() - 3_600_000);
  for (const parent of parents()) mkdirSync(join(directory, root, parent), { recursive: true });
  for (let serial = 0; serial <= count; serial++) {
    for (const [path, content] of filesOf(serial)) {
      const place = `${directory}/${root}/${path}`;
      mkdirSync(place.slice(0, place.lastIndexOf("/")), { recursive: serial === count });
      writeFileSync(place, content);
      utimesSync(place, at, at);
      if (serial === count && path.startsWith(revisions)) tag(directory, content);
    }
  }
}

/** How many are left, but for the one that has a tag. */
export async function untaggedIn(directory: string): Promise<number> {
  const names = await readdir(join(directory, root, revisions)).catch(() => []);
  return names.length - 1;
}

function tag(directory: string, digest: Uint8Array | string): void {
  const current = join(directory, root, "repositories/a/_manifests/tags/kept/current");
  mkdirSync(current, { recursive: true });
  writeFileSync(join(current, "link"), digest);
}

export function manifestOf(config: string, layer: string): Buffer {
  const mediaType = mediaTypes.ociManifest;
  return Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType },
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: 1 },
      layers: [{ mediaType: "a/b", digest: layer, size: 1 }],
    }),
  );
}

function parents(): string[] {
  const prefixes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
  return [
    ...prefixes.map((prefix) => `blobs/sha256/${prefix}`),
    "repositories/a/_layers/sha256",
    revisions,
  ];
}

function filesOf(serial: number): [string, Uint8Array | string][] {
  const config = Buffer.from(`{"config":${serial}}`);
  const layer = Buffer.from(`layer ${serial}`);
  const [configDigest, layerDigest] = [digestOf(config), digestOf(layer)];
  const manifest = manifestOf(configDigest, layerDigest);
  const name = digestOf(manifest);
  return [
    [dataPath(configDigest), config],
    [dataPath(layerDigest), layer],
    [dataPath(name), manifest],
    [`repositories/a/_layers/${configDigest.replace(":", "/")}/link`, configDigest],
    [`repositories/a/_layers/${layerDigest.replace(":", "/")}/link`, layerDigest],
    [`${revisions}/${name.replace("sha256:", "")}/link`, name],
  ];
}

function dataPath(digest: string): string {
  const [algorithm, hex = ""] = digest.split(":");
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
}
