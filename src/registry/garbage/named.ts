import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "../../oci/digest.ts";
import { readableManifest } from "../../oci/manifest.ts";
import { readLink } from "../images/link.ts";
import { referencesOf } from "../images/manifest-references.ts";
import { maximumManifestBytes } from "../images/manifests.ts";
import { blobDataPath, revisionLinkPath } from "../images/paths.ts";
import type { Trash } from "../images/trash.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";

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

/** Of a manifest that the repository has a link to. Never fails because of what is stored. */
export async function readNamed(
  repository: string,
  digest: Digest,
  { storage, trash }: { storage: StorageDriver; trash: Trash },
  call: Call,
): Promise<Named> {
  const data = await dataOf(storage, digest, revisionLinkPath(repository, digest), call);
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

/**
 * Where the bytes are that the link of `digest` names. Only Distribution's links of sha512 name
 * another digest than their own.
 */
export async function dataOf(
  storage: StorageDriver,
  digest: Digest,
  link: StoragePath,
  call: Call,
): Promise<Digest> {
  if (algorithmOf(digest) === "sha256") return digest;
  return (await readLink(storage, link, call)) ?? digest;
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
