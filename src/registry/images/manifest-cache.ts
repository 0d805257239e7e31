import type { Digest } from "../../oci/digest.ts";

export interface StoredManifest {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array;
  /** What its reader is to be told: a mirror's answer may be an old one. ASCII, without quotes. */
  warning?: string;
}

const maximumBytes = 32 * 1024 * 1024;

/** What a manifest costs beside its bytes: its entry, and the pool that small buffers are cut from. */
const entryBytes = 1024;

/** Remembers manifests by digest, which never change; the least recently used go first. */
export class ManifestCache {
  readonly #manifests = new Map<Digest, StoredManifest>();
  #bytes = 0;

  read(digest: Digest): StoredManifest | undefined {
    const manifest = this.#manifests.get(digest);
    if (manifest === undefined) return undefined;
    this.#manifests.delete(digest);
    this.#manifests.set(digest, manifest);
    return manifest;
  }

  keep(manifest: StoredManifest): void {
    if (this.#manifests.has(manifest.digest)) return;
    this.#manifests.set(manifest.digest, manifest);
    this.#bytes += manifest.bytes.length + entryBytes;
    for (const [digest, { bytes }] of this.#manifests) {
      if (this.#bytes <= maximumBytes) return;
      this.#manifests.delete(digest);
      this.#bytes -= bytes.length + entryBytes;
    }
  }
}
