import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import type { Descriptor, Manifest } from "../../oci/manifest.ts";
import type { Blobs } from "./blobs.ts";
import type { Manifests } from "./manifests.ts";

/** Which URLs a layer may be fetched from instead of from us. */
export interface UrlRules {
  /** When there are any, one of them must match. */
  allow: readonly RegExp[];
  deny: readonly RegExp[];
}

/** A manifest names what the repository does not have. */
export class MissingReferences extends OciError {
  readonly each: readonly OciError[];

  constructor(missing: readonly Digest[]) {
    super("MANIFEST_BLOB_UNKNOWN", `the repository lacks ${missing.join(", ")}`);
    this.each = missing.map(
      (detail) =>
        new OciError("MANIFEST_BLOB_UNKNOWN", "the manifest names what is not there", { detail }),
    );
  }
}

const maximumNamed = 100;
const checkedAtOnce = 8;

/**
 * Fails unless everything `manifest` is made of is in the repository. Its subject may come later,
 * and a layer that tells where else it is fetched from need not come at all.
 */
export async function checkReferences(
  repository: string,
  manifest: Manifest,
  parts: { blobs: Blobs; manifests: Pick<Manifests, "has">; urls: UrlRules },
  call: Call,
): Promise<void> {
  const { blobs, manifests, urls } = parts;
  const wanted = referencesOf(manifest, urls);
  const missing: Digest[] = [];
  for (let start = 0; start < wanted.length; start += checkedAtOnce) {
    const batch = wanted.slice(start, start + checkedAtOnce);
    const found = await Promise.all(batch.map(isThere));
    missing.push(...batch.filter((_, index) => !found[index]));
    if (missing.length >= maximumNamed) break;
  }
  if (missing.length > 0) throw new MissingReferences(missing);

  async function isThere(digest: Digest): Promise<boolean> {
    if (manifest.kind === "index") return manifests.has(repository, digest, call);
    return (await blobs.find(repository, digest, call)) !== undefined;
  }
}

function referencesOf(manifest: Manifest, rules: UrlRules): Digest[] {
  if (manifest.kind === "index") return distinct(manifest.content.manifests);
  const { config, layers } = manifest.content;
  const own = layers.filter((layer) => !isFetchedElsewhere(layer, rules));
  return distinct([config, ...own]);
}

function distinct(descriptors: readonly Descriptor[]): Digest[] {
  return [...new Set(descriptors.map(({ digest }) => digest))];
}

function isFetchedElsewhere({ urls = [] }: Descriptor, { allow, deny }: UrlRules): boolean {
  const refused = urls.find(
    (url) =>
      !/^https?:\/\/[^/]/.test(url) ||
      (allow.length > 0 && !allow.some((pattern) => pattern.test(url))) ||
      deny.some((pattern) => pattern.test(url)),
  );
  if (refused !== undefined) {
    throw new OciError("MANIFEST_INVALID", `a layer may not be fetched from ${refused}`, {
      hint: "see validation.manifests.urls",
    });
  }
  return urls.length > 0;
}
