import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, hexOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { run, temporaryDirectory } from "./program.ts";

/** Writes an image of one file, `/bin/busybox`, as an OCI image layout; resolves to its directory. */
export async function writeLayout(tag: string): Promise<string> {
  const { directory, blobs, layer } = await beginLayout();
  await endLayout(directory, tag, await writeImage(blobs, layer, "amd64"));
  return directory;
}

/** Writes that image for two platforms, below an index; `label` tells those of one tag apart. */
export async function writeIndexLayout(tag: string, label = ""): Promise<string> {
  const { directory, blobs, layer } = await beginLayout();
  const manifests: object[] = [];
  for (const architecture of ["amd64", "arm64"]) {
    const image = await writeImage(blobs, layer, architecture, label);
    manifests.push({ ...image, platform: { os: "linux", architecture } });
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  await writeFile(join(blobs, hexOf(digestOf(index))), index);
  await endLayout(directory, tag, descriptor(mediaTypes.ociIndex, index));
  return directory;
}

async function beginLayout() {
  const directory = await temporaryDirectory("layout");
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const archive = join(directory, "layer.tar");
  await run("tar", ["-C", "/", "-cf", archive, "bin/busybox", "--dereference"]);
  return { directory, blobs, layer: await readFile(archive) };
}

async function writeImage(blobs: string, layer: Uint8Array, architecture: string, label = "") {
  const config = JSON.stringify({
    architecture,
    os: "linux",
    config: { Cmd: ["/bin/busybox"], ...(label && { Labels: { label } }) },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  });
  for (const bytes of [layer, config, manifest]) {
    await writeFile(join(blobs, hexOf(digestOf(bytes))), bytes);
  }
  return descriptor(mediaTypes.ociManifest, manifest);
}

async function endLayout(directory: string, tag: string, top: object): Promise<void> {
  const annotations = { "org.opencontainers.image.ref.name": tag };
  const entry = { ...top, annotations };
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  );
}

function descriptor(mediaType: string, bytes: Uint8Array | string) {
  const digest: Digest = digestOf(bytes);
  return { mediaType, digest, size: Buffer.byteLength(bytes) };
}
