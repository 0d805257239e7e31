import type { Digest } from "../../oci/digest.ts";
import { parseManifest } from "../../oci/manifest.ts";

const maximumKnown = 50_000;

/**
 * How long the blobs are that manifests name, so that their registry need not be asked before the
 * download begins. Only as good as the manifest: the download is checked against it.
 */
export class KnownSizes {
  readonly #sizes = new Map<string, number>();

  /** Takes note of what a manifest of the repository is made of. */
  learn(repository: string, manifest: Uint8Array): void {
    for (const { digest, size } of partsOf(manifest)) {
      const oldest = this.#sizes.keys().next();
      if (this.#sizes.size >= maximumKnown && !oldest.done) this.#sizes.delete(oldest.value);
      this.#sizes.set(`${repository}@${digest}`, size);
    }
  }

  of(repository: string, digest: Digest): number | undefined {
    return this.#sizes.get(`${repository}@${digest}`);
  }

  forget(repository: string, digest: Digest): void {
    this.#sizes.delete(`${repository}@${digest}`);
  }
}

function partsOf(bytes: Uint8Array) {
  try {
    const { kind, content } = parseManifest(bytes);
    return kind === "image" ? [content.config, ...content.layers] : [];
  } catch {
    return []; // a type we do not know is passed on all the same
  }
}
