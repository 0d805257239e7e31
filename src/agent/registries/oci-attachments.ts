import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { OciClient } from "../../oci/client.ts";
import { algorithmOf, type Digest, digestOf, hexOf } from "../../oci/digest.ts";
import { type Descriptor, type Manifest, parseManifest } from "../../oci/manifest.ts";
import type { Artifact, Attachment } from "../release.ts";
import { failure } from "./registry-failure.ts";

const maximumAttachments = 100;
/** Attestations bring along lists of everything that is in an image. */
const maximumBytes = 16 * 1024 * 1024;

/** What signs or attests, and not the records of deployments, of which there may be thousands. */
const signedType =
  /^application\/vnd\.(dev\.sigstore\.bundle|dev\.cosign\.|dsse\.envelope|in-toto)/;

interface AttachedIn {
  client: OciClient;
  repository: string;
}

/**
 * What is signed about the manifests, from `reference` down, that name the artifact: the layers of
 * those that refer to one of them, and of what cosign keeps under tags beside them.
 */
export async function* attachmentsIn(
  place: AttachedIn,
  { reference, artifact }: { reference: string; artifact: Artifact },
  call: Call,
): AsyncGenerator<Attachment> {
  let count = 0;
  for (const subject of await manifestsNaming(place, reference, artifact, call)) {
    for await (const found of manifestsAbout(place, subject, call)) {
      for (const layer of found.layers) {
        if (!signedType.test(layer.mediaType) || layer.size > maximumBytes) continue;
        if (++count > maximumAttachments) return;
        const annotations = { ...found.annotations, ...layer.annotations };
        const bytes = await bytesOf(place, layer, call);
        const { artifactType } = found;
        yield { subject, artifactType, mediaType: layer.mediaType, annotations, bytes };
      }
    }
  }
}

/** Asked anew, by digest: what a cache says of a release is no proof of what its manifest says. */
async function manifestsNaming(
  { client, repository }: AttachedIn,
  reference: string,
  { digest: wanted }: Artifact,
  call: Call,
): Promise<Digest[]> {
  const { bytes, mediaType, digest } = await client.manifest(repository, reference, call);
  if (digest === wanted) return [digest];
  const top = parseManifest(bytes, mediaType);
  if (top.kind === "image") return isNamed(top, wanted) ? [digest] : [];
  const { manifests } = top.content;
  if (wanted && manifests.some((child) => child.digest === wanted)) return [digest, wanted];
  for (const child of manifests) {
    const found = await client.manifest(repository, child.digest, call);
    if (isNamed(parseManifest(found.bytes, found.mediaType), wanted)) return [digest, child.digest];
  }
  return [];
}

function isNamed(manifest: Manifest, wanted: Digest | undefined): boolean {
  if (manifest.kind !== "image") return false;
  return manifest.content.layers.some((layer) => layer.digest === wanted);
}

interface ManifestAbout {
  artifactType: string | undefined;
  annotations: Readonly<Record<string, string>> | undefined;
  layers: readonly Descriptor[];
}

async function* manifestsAbout(
  { client, repository }: AttachedIn,
  subject: Digest,
  call: Call,
): AsyncGenerator<ManifestAbout> {
  for (const ending of ["sig", "att"]) {
    const tag = `${algorithmOf(subject)}-${hexOf(subject)}.${ending}`;
    if (await client.headManifest(repository, tag, call)) yield* aboutIn(tag, undefined);
  }
  for await (const { digest, artifactType } of client.referrers(repository, { subject }, call)) {
    if (signedType.test(artifactType ?? "")) yield* aboutIn(digest, artifactType);
  }

  async function* aboutIn(reference: string, artifactType: string | undefined) {
    const { bytes, mediaType } = await client.manifest(repository, reference, call);
    const manifest = parseManifest(bytes, mediaType);
    if (manifest.kind !== "image") return;
    const { annotations, layers } = manifest.content;
    yield { artifactType, annotations, layers };
  }
}

async function bytesOf(
  { client, repository }: AttachedIn,
  { digest }: Descriptor,
  call: Call,
): Promise<Buffer> {
  const blob = await client.openBlob(repository, digest, { signal: call.signal, from: 0 });
  const bytes = await collect(blob.bytes, maximumBytes);
  const found = digestOf(bytes, algorithmOf(digest));
  if (found === digest) return bytes;
  const message = `${client.host}/${repository}: expected ${digest}, received ${found}`;
  throw failure("INVALID_ANSWER", message);
}
