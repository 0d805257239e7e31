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

/** Which images an index names have to be there; all of them unless told. */
export interface IndexRules {
  platforms: "all" | "none" | "list";
  /** With `list`, those of these platforms. */
  platformlist: readonly { os: string; architecture: string }[];
}

export interface ReferenceRules {
  urls: UrlRules;
  indexes?: IndexRules;
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
const heldAtOnce = 8;

/** What a manifest relies on: blobs of the repository, or manifests. */
export interface References {
  kind: "blobs" | "manifests";
  digests: readonly Digest[];
}

/**
 * Sees to it that what `references` name is in the repository and stays, and resolves to what is not.
 * Stops at a hundred of those.
 */
export async function holdReferences(
  repository: string,
  { kind, digests }: References,
  parts: { blobs: Pick<Blobs, "hold">; manifests: Pick<Manifests, "hold"> },
  call: Call,
): Promise<Digest[]> {
  const missing: Digest[] = [];
  for (let start = 0; start < digests.length; start += heldAtOnce) {
    const batch = digests.slice(start, start + heldAtOnce);
    const found = await Promise.all(
      batch.map((digest) => parts[kind].hold(repository, digest, call)),
    );
    missing.push(...batch.filter((_, index) => !found[index]));
    if (missing.length >= maximumNamed) break;
  }
  return missing;
}

/** Everything the manifest is made of. */
export function referencesOf(manifest: Manifest): References {
  if (manifest.kind === "index") {
    return { kind: "manifests", digests: distinct(manifest.content.manifests) };
  }
  const { config, layers } = manifest.content;
  return { kind: "blobs", digests: distinct([config, ...layers]) };
}

/** Of these, what must be there: not a layer that tells where else it is fetched from. */
export function requiredOf(
  manifest: Manifest,
  { urls, indexes }: ReferenceRules,
): ReadonlySet<Digest> {
  if (manifest.kind === "index") {
    const { manifests } = manifest.content;
    return new Set(
      distinct(indexes ? manifests.filter((child) => isWanted(child, indexes)) : manifests),
    );
  }
  const { config, layers } = manifest.content;
  const own = layers.filter((layer) => !isFetchedElsewhere(layer, urls));
  return new Set(distinct([config, ...own]));
}

function isWanted({ platform }: Descriptor, { platforms, platformlist }: IndexRules): boolean {
  if (platforms !== "list") return platforms === "all";
  return platformlist.some(
    ({ os, architecture }) => platform?.os === os && platform.architecture === architecture,
  );
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
