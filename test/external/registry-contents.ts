import { createHash } from "node:crypto";
import { expect } from "vitest";
import { mediaTypes } from "../../src/oci/manifest.ts";

const accept = Object.values(mediaTypes).join(", ");
/** What a client goes by; the rest is the server's own way of speaking. */
const compared = ["content-type", "content-length", "docker-content-digest", "etag"];

/**
 * All that can be had of a registry: for each path what a client is told and gets, the manifests below
 * an index and their blobs included. Of large bodies, their hash.
 */
export async function contentsOf(address: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  const { repositories } = JSON.parse(await read("/v2/_catalog"));
  for (const repository of repositories) {
    const { tags } = JSON.parse(await read(`/v2/${repository}/tags/list`));
    for (const tag of tags ?? []) await readManifest(repository, tag);
  }
  return contents;

  async function readManifest(repository: string, reference: string): Promise<void> {
    const path = `/v2/${repository}/manifests/${reference}`;
    if (contents.has(path)) return;
    const { config, layers = [], manifests = [] } = JSON.parse(await read(path));
    for (const { digest } of manifests) await readManifest(repository, digest);
    for (const { digest } of config ? [config, ...layers] : []) {
      await read(`/v2/${repository}/blobs/${digest}`);
    }
  }

  async function read(path: string): Promise<string> {
    const answer = await fetch(`${address}${path}`, { headers: { accept } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(answer.status, `${path}: ${bytes.subarray(0, 500)}`).toBe(200);
    const told = compared.map((name) => `${name}: ${answer.headers.get(name)}`);
    const hash = createHash("sha256").update(bytes).digest("hex");
    const text = bytes.toString();
    // Distribution 2.8 lists tags in whatever order the disk does.
    const isListing = /\/(?:_catalog|list)$/.test(path);
    contents.set(path, isListing ? sorted(JSON.parse(text)) : [...told, hash].join("\n"));
    return text;
  }
}

function sorted({ tags, ...rest }: { tags?: string[] }): string {
  return JSON.stringify({ ...rest, tags: tags?.sort() });
}
