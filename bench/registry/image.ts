import { createHash, randomBytes } from "node:crypto";
import { mediaTypes } from "../../src/oci/manifest.ts";
import type { Connection } from "./connection.ts";

export const mebibyte = 1024 ** 2;

export interface Blob {
  parts: Uint8Array[];
  digest: string;
  size: number;
}

/** An image of one layer; its bytes are new, and hashed before anything is measured. */
export interface Image {
  repository: string;
  layer: Blob;
  config: Blob;
}

const rests = new Map<number, Buffer>();

export function imageOf(repository: string, mebibytes: number): Image {
  const rest = rests.get(mebibytes) ?? randomBytes(mebibytes * mebibyte - 32);
  rests.set(mebibytes, rest);
  return {
    repository,
    layer: blobOf([randomBytes(32), rest]),
    config: blobOf([Buffer.from(JSON.stringify({ id: randomBytes(8).toString("hex") }))]),
  };
}

function blobOf(parts: Uint8Array[]): Blob {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return { parts, digest: `sha256:${hash.digest("hex")}`, size };
}

/** As zot's `zb` pushes: layer, config, manifest; its "chunk streamed" sends the bytes by a PATCH. */
export async function pushImage(
  connection: Connection,
  { repository, layer, config }: Image,
  way: "monolith" | "streamed",
): Promise<void> {
  await pushBlob(connection, repository, layer, way);
  await pushBlob(connection, repository, config, way);
  await putManifest(connection, `/v2/${repository}/manifests/v1`, manifestOf({ layer, config }));
}

export async function putManifest(
  connection: Connection,
  target: string,
  manifest: Uint8Array,
): Promise<void> {
  const headers = { "content-type": mediaTypes.ociManifest };
  await connection.exchange(target, { method: "PUT", headers, body: [manifest], status: 201 });
}

/** With a `name`, one of its own for each. */
export function manifestOf({ layer, config }: Pick<Image, "layer" | "config">, name?: string) {
  const manifest = {
    ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
    config: described("application/vnd.oci.image.config.v1+json", config),
    layers: [described("application/vnd.oci.image.layer.v1.tar", layer)],
    ...(name && { annotations: { name } }),
  };
  return Buffer.from(JSON.stringify(manifest));
}

async function pushBlob(
  connection: Connection,
  repository: string,
  { parts, digest }: Blob,
  way: "monolith" | "streamed",
): Promise<void> {
  const headers = { "content-type": "application/octet-stream" };
  const begin = { method: "POST", status: 202 } as const;
  let target = placeIn(await connection.exchange(`/v2/${repository}/blobs/uploads/`, begin));
  if (way === "streamed") {
    const patch = { method: "PATCH", headers, body: parts, status: 202 } as const;
    target = placeIn(await connection.exchange(target, patch));
  }
  const end = `${target}${target.includes("?") ? "&" : "?"}digest=${digest}`;
  const body = way === "monolith" ? parts : [];
  await connection.exchange(end, { method: "PUT", headers, body, status: 201 });
}

function placeIn({ headers }: { headers: ReadonlyMap<string, string> }): string {
  const { pathname, search } = new URL(headers.get("location") ?? "", "http://any");
  return `${pathname}${search}`;
}

function described(mediaType: string, { digest, size }: Blob) {
  return { mediaType, digest, size };
}

/** As `zb` pulls: HEAD and GET of each. */
export async function pullImage(
  connection: Connection,
  { repository, layer, config }: Image,
): Promise<void> {
  const headers = { accept: mediaTypes.ociManifest };
  const blobs = [config, layer].map(({ digest }) => `/v2/${repository}/blobs/${digest}`);
  for (const target of [`/v2/${repository}/manifests/v1`, ...blobs]) {
    await connection.exchange(target, { method: "HEAD", headers, status: 200 });
    await connection.exchange(target, { headers, status: 200 });
  }
}
