import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { run, temporaryDirectory } from "./program.ts";

/** Writes an image of one file, `/bin/busybox`, as an OCI image layout; resolves to its directory. */
export async function writeLayout(tag: string): Promise<string> {
  const directory = await temporaryDirectory("layout");
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const archive = join(directory, "layer.tar");
  await run("tar", ["-C", "/", "-cf", archive, "bin/busybox", "--dereference"]);
  const layer = await readFile(archive);
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/bin/busybox"] },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  });
  for (const bytes of [layer, config, manifest]) {
    await writeFile(join(blobs, digestOf(bytes).slice(7)), bytes);
  }
  const annotations = { "org.opencontainers.image.ref.name": tag };
  const entry = { ...descriptor(mediaTypes.ociManifest, manifest), annotations };
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  );
  return directory;
}

function descriptor(mediaType: string, bytes: Uint8Array | string) {
  const digest: Digest = digestOf(bytes);
  return { mediaType, digest, size: Buffer.byteLength(bytes) };
}
