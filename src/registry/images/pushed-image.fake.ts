import { streamOf } from "../../base/bytes.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import type { ImageStore } from "./image-store.ts";
import type { ManifestPut } from "./manifests.ts";
import type { Chunk } from "./uploads.ts";

export const call = { signal: new AbortController().signal };

/** Pushes an image of nothing but a config, which is its own for each tag. */
export async function pushImage(
  store: ImageStore,
  repository: string,
  tag: string,
  subject?: Digest,
) {
  const bytes = Buffer.from(`{"tag":"${tag}"}`);
  const config = await pushBlob(store, repository, bytes);
  const type = "application/vnd.oci.image.config.v1+json";
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: type, digest: config, size: bytes.length },
    layers: [],
    ...(subject && { subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 } }),
  };
  const whole = Buffer.from(JSON.stringify(manifest));
  const { digest } = await store.manifests.write(repository, putOf(whole, tag), call);
  return { config, digest, bytes: whole };
}

export async function pushBlob(
  store: ImageStore,
  repository: string,
  bytes: Uint8Array,
): Promise<Digest> {
  const digest = digestOf(bytes);
  const { id } = await store.uploads.begin(repository, { ...call, algorithm: "sha256" });
  await store.uploads.commit(repository, id, { digest, chunk: chunk(bytes) }, call);
  return digest;
}

export function putOf(bytes: Uint8Array, tag: string): ManifestPut {
  return { bytes, mediaType: mediaTypes.ociManifest, expected: undefined, tags: [tag] };
}

export function chunk(bytes: Uint8Array, at?: number): Chunk {
  return { source: streamOf(bytes), at };
}
