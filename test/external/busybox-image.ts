import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { thisHost } from "../../src/agent/host.ts";
import { streamOf } from "../../src/base/bytes.ts";
import type { OciClient } from "../../src/oci/client.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { pathOf } from "../component.ts";

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
const configType = "application/vnd.oci.image.config.v1+json";
/** As the first process it would not hear SIGTERM, unless it listens for it. */
const serving =
  "trap 'exit 0' TERM; /bin/busybox httpd -p 8080 -h /www; while :; do /bin/busybox sleep 1 & wait; done";

/** What a multi-platform image is made of, as far as this host is concerned. */
export interface PushedImage {
  index: Digest;
  manifest: Digest;
}

/** Pushes an image that runs until it is told to end, within an index that names another one too. */
export async function pushBusybox(
  client: OciClient,
  { repository, tag, script = serving }: { repository: string; tag: string; script?: string },
): Promise<PushedImage> {
  const call = { signal: AbortSignal.timeout(30_000) };
  const layer = await packTar([
    await file("bin/busybox", await readFile(pathOf("busybox") ?? ""), 0o755),
    await file("www/index.html", Buffer.from(`${tag}\n`), 0o644),
  ]);
  const { platform } = thisHost();
  const ours = await manifestFor(platform, layer);
  const other = platform.architecture === "arm64" ? "amd64" : "arm64";
  const theirs = await manifestFor({ os: "linux", architecture: other }, Buffer.alloc(1024));
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [theirs, ours] };
  return { index: await put(tag, index, mediaTypes.ociIndex), manifest: ours.digest };

  async function manifestFor(about: typeof platform, tar: Uint8Array) {
    const config = {
      ...about,
      // It exposes no port: an engine without a network would have none to reach it at.
      config: { Cmd: ["/bin/busybox", "sh", "-c", script] },
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    };
    const content = {
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
      config: await pushed(Buffer.from(JSON.stringify(config)), configType),
      layers: [await pushed(gzipSync(tar), layerType)],
    };
    const bytes = Buffer.from(JSON.stringify(content));
    const digest = await put(digestOf(bytes), content, mediaTypes.ociManifest);
    return { mediaType: mediaTypes.ociManifest, digest, size: bytes.length, platform: about };
  }

  function put(reference: string, content: object, mediaType: string): Promise<Digest> {
    const bytes = Buffer.from(JSON.stringify(content));
    return client.pushManifest(repository, reference, { bytes, mediaType }, call);
  }

  async function pushed(bytes: Buffer, mediaType: string) {
    const digest = digestOf(bytes);
    const source = { digest, sizeBytes: bytes.length, open: () => streamOf(bytes) };
    await client.pushBlob(repository, source, call);
    return { mediaType, digest, size: bytes.length };
  }
}

async function file(name: string, body: Buffer, mode: number) {
  const mtime = new Date("2026-01-01T00:00:00Z");
  return { header: { name, size: body.length, mode, mtime, type: "file" as const }, body };
}
