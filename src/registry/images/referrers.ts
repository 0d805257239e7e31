import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { type Descriptor, type Manifest, readableManifest } from "../../oci/manifest.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Manifests } from "./manifests.ts";
import { revisionsPath } from "./paths.ts";
import { storedDigests } from "./stored-digests.ts";

export type Referrer = Pick<Descriptor, "mediaType" | "digest" | "size"> & {
  artifactType?: string;
  annotations?: Record<string, string>;
};

/** Finds the manifests that name another one as their subject (distribution specification 1.1). */
export interface Referrers {
  /** In the order of their digests, those after `last`; nothing when there is no such repository. */
  list(
    repository: string,
    subject: Digest,
    call: Call & { last: string | undefined },
  ): AsyncIterable<Referrer>;
}

const maximumRemembered = 50_000;

/**
 * Asks the revisions of the repository, which are the only truth, and remembers of each what its
 * subject is: a fact that cannot change. So no index can be wrong, also when Distribution writes to
 * the same directory; the price is that the first question to a repository reads its manifests.
 */
export function referrersOn(storage: StorageDriver, manifests: Pick<Manifests, "read">): Referrers {
  const subjects = new Map<Digest, Digest | undefined>();

  return {
    async *list(repository, subject, call) {
      for (const digest of await revisionsOf(repository, call)) {
        if (call.last !== undefined && digest <= call.last) continue;
        if (subjects.has(digest) && subjects.get(digest) !== subject) continue;
        const stored = await manifests.read(repository, digest, call);
        const manifest = stored && readableManifest(stored.bytes);
        if (stored !== undefined) remember(digest, manifest?.content.subject?.digest);
        if (stored && manifest?.content.subject?.digest === subject) {
          yield describe(manifest, digest, stored.bytes.length);
        }
      }
    },
  };

  async function revisionsOf(repository: string, call: Call): Promise<Digest[]> {
    const digests: Digest[] = [];
    for await (const digest of storedDigests(storage, revisionsPath(repository), call)) {
      digests.push(digest);
    }
    return digests.sort();
  }

  function remember(digest: Digest, subject: Digest | undefined): void {
    const oldest = subjects.keys().next();
    if (subjects.size >= maximumRemembered && !oldest.done) subjects.delete(oldest.value);
    subjects.set(digest, subject);
  }
}

function describe(manifest: Manifest, digest: Digest, size: number): Referrer {
  const { artifactType, annotations } = manifest.content;
  const configType = manifest.kind === "image" ? manifest.content.config.mediaType : undefined;
  const type = artifactType ?? configType;
  return {
    mediaType: manifest.mediaType,
    digest,
    size,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
