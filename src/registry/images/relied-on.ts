import { algorithmOf } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { StoragePath } from "../storage-driver.ts";
import { isEmptied } from "./hold-linked.ts";
import { referencesOf } from "./manifest-references.ts";
import { blobDataPath, layerLinkPath } from "./paths.ts";

/**
 * The files that hold up a manifest: whoever has touched them all need not ask for each, nor whether
 * the repository may take it.
 */
export interface ReliedOn {
  paths: readonly StoragePath[];
  /** Whether these sizes of `paths` say that all is there, whole; `false` for what is to be asked for. */
  areThere(sizes: readonly (number | undefined)[]): boolean;
}

const mostTogether = 100;

/**
 * Of an image: the links of its blobs, and these. An index relies on what its images rely on,
 * Distribution's links of sha512 name another digest than their own, and there are rules for layers
 * that are fetched from elsewhere: those are asked for.
 */
export function reliedOn(repository: string, manifest: Manifest): ReliedOn {
  const { digests } = referencesOf(manifest);
  const isShort = digests.length <= mostTogether;
  if (
    !isPlain(manifest) ||
    !isShort ||
    digests.some((digest) => algorithmOf(digest) !== "sha256")
  ) {
    return { paths: [], areThere: () => false };
  }
  return {
    paths: digests.flatMap((digest) => [layerLinkPath(repository, digest), blobDataPath(digest)]),
    areThere: (sizes) =>
      digests.every((digest, at) => {
        const [link, size] = sizes.slice(2 * at);
        return link === digest.length && size !== undefined && !isEmptied({ size }, digest);
      }),
  };
}

function isPlain({ kind, content }: Manifest): boolean {
  if (kind === "index" || content.subject !== undefined) return false;
  return content.layers.every(({ urls = [] }) => urls.length === 0);
}
