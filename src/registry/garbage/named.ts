import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "../../oci/digest.ts";
import { readableManifest } from "../../oci/manifest.ts";
import { readLink } from "../images/link.ts";
import { referencesOf } from "../images/manifest-references.ts";
import { maximumManifestBytes } from "../images/manifests.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath } from "../images/paths.ts";
import type { Trash } from "../images/trash.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";

/** What a stored manifest names. */
export interface Named {
  /** Where its own bytes are. */
  data: Digest;
  /** Blobs, as the manifest calls them. */
  blobs: readonly Digest[];
  /** Manifests that are parts of it. */
  children: readonly Digest[];
  subject: Digest | undefined;
  /** Why it cannot be served, when it cannot. */
  problem?: string;
}

/** `undefined` when the repository has no such manifest. Never fails because of what is stored. */
export async function readNamed(
  repository: string,
  digest: Digest,
  { storage, trash }: { storage: StorageDriver; trash: Trash },
  call: Call,
): Promise<Named | undefined> {
  const data = await readLink(storage, revisionLinkPath(repository, digest), call);
  if (data === undefined) return undefined;
  const path = blobDataPath(data);
  let bytes = await readBytes(storage, data, call);
  if (bytes === undefined && (await trash.restore(path, call))) {
    bytes = await readBytes(storage, data, call);
  }
  const nothing = { data, blobs: [], children: [], subject: undefined };
  if (bytes === undefined) return { ...nothing, problem: "its bytes are not there" };
  const isRotten = digestOf(bytes, algorithmOf(data)) !== data;
  const manifest = isRotten ? undefined : readableManifest(bytes);
  if (manifest !== undefined) {
    const { kind, digests } = referencesOf(manifest);
    const subject = manifest.content.subject?.digest;
    return kind === "manifests"
      ? { ...nothing, children: digests, subject }
      : { ...nothing, blobs: digests, subject };
  }
  // Schema 1, or what we do not know: whatever looks like a digest in it may be one.
  const blobs = digestsIn(Buffer.from(bytes).toString("latin1"));
  const damage = isRotten ? { problem: "its bytes are not those it was pushed with" } : {};
  return { ...nothing, blobs, children: blobs, ...damage };
}

/** Where the bytes of a blob are, when it is not where its name says: Distribution's sha512. */
export async function linkedElsewhere(
  storage: StorageDriver,
  repository: string,
  digest: Digest,
  call: Call,
): Promise<Digest | undefined> {
  if (algorithmOf(digest) === "sha256") return undefined;
  return readLink(storage, layerLinkPath(repository, digest), call);
}

async function readBytes(
  storage: StorageDriver,
  data: Digest,
  { signal }: Call,
): Promise<Uint8Array | undefined> {
  try {
    return await storage.readWhole(blobDataPath(data), {
      maximumBytes: maximumManifestBytes,
      signal,
    });
  } catch (error) {
    if (error instanceof StorageError && error.code === "TOO_LARGE") return undefined;
    throw error;
  }
}

function digestsIn(text: string): Digest[] {
  const found = text.match(/sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})/g) ?? [];
  return [...new Set(found)].filter(isDigest);
}
