import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { OciClient } from "../../oci/client.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseManifest } from "../../oci/manifest.ts";
import type { Artifact, Attachment } from "../release.ts";

const maximumAttachments = 100;
const maximumBytes = 1024 * 1024;

interface AttachedIn {
  client: OciClient;
  repository: string;
}

/** The layers of what refers to the manifests, from `reference` down, that name the artifact. */
export async function* attachmentsIn(
  place: AttachedIn,
  { reference, artifact }: { reference: string; artifact: Artifact },
  call: Call,
): AsyncGenerator<Attachment> {
  const { client, repository } = place;
  let count = 0;
  for (const subject of await manifestsNaming(place, reference, artifact, call)) {
    for await (const referrer of client.referrers(repository, { subject }, call)) {
      if (++count > maximumAttachments) return;
      yield* layersOf(
        place,
        { subject, artifactType: referrer.artifactType },
        referrer.digest,
        call,
      );
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
  const top = parseManifest(bytes, mediaType);
  if (top.kind === "image") {
    return top.content.layers.some((layer) => layer.digest === wanted) ? [digest] : [];
  }
  for (const child of top.content.manifests) {
    const found = await client.manifest(repository, child.digest, call);
    const manifest = parseManifest(found.bytes, found.mediaType);
    if (manifest.kind !== "image") continue;
    const isNamed = manifest.content.layers.some((layer) => layer.digest === wanted);
    if (isNamed) return [digest, child.digest];
  }
  return [];
}

async function* layersOf(
  { client, repository }: AttachedIn,
  about: Pick<Attachment, "subject" | "artifactType">,
  reference: string,
  call: Call,
): AsyncGenerator<Attachment> {
  const { bytes, mediaType } = await client.manifest(repository, reference, call);
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.kind !== "image") return;
  for (const layer of manifest.content.layers) {
    if (layer.size > maximumBytes) continue;
    const blob = await client.openBlob(repository, layer.digest, { ...call, from: 0 });
    const content = await collect(blob.bytes, maximumBytes);
    const annotations = { ...manifest.content.annotations, ...layer.annotations };
    yield { ...about, mediaType: layer.mediaType, annotations, bytes: content };
  }
}
