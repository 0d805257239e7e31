import { algorithmOf, type Digest, type DigestAlgorithm, hexOf } from "../../oci/digest.ts";
import type { StoragePath } from "../storage-driver.ts";

/*
 * The layout of Distribution, version 2, byte for byte, so that either program can serve the same
 * directory (`registry/storage/paths.go` there):
 *
 *   /docker/registry/v2
 *     blobs/<algorithm>/<first two of hex>/<hex>/data      bytes of layers, configs and manifests
 *     repositories/<name>
 *       _layers/<algorithm>/<hex>/link                      the blob is visible in the repository
 *       _manifests/revisions/<algorithm>/<hex>/link         the manifest is
 *       _manifests/tags/<tag>/current/link                  what the tag means now
 *       _manifests/tags/<tag>/index/<algorithm>/<hex>/link  what it ever meant
 *       _uploads/<id>/data                                  what was received so far
 *       _uploads/<id>/startedat                             RFC 3339, UTC
 *
 * A link holds `algorithm:hex` without a newline. Its content, not its path, names the data:
 * Distribution links sha512 blobs to data that it keeps under sha256.
 *
 * Beside it, where Distribution never looks, and all of which can be lost (`/dewy/trash` is drawn in
 * `trash.ts`, `/dewy/garbage` in `garbage/run-record.ts`):
 *
 *   /dewy/repositories/<name>
 *     _history/<tag>            each change of the tag, a line of JSON
 *     _pulls/tags/<tag>         empty; its time of last change is that of the last pull
 *     _pulls/<algorithm>/<hex>  the same for a manifest
 */
const root = "/docker/registry/v2";

export const repositoriesPath: StoragePath = `${root}/repositories`;

export function blobDataPath(digest: Digest): StoragePath {
  const hex = hexOf(digest);
  return `${root}/blobs/${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}/data`;
}

export function blobsPath(algorithm: DigestAlgorithm, prefix?: string): StoragePath {
  return `${root}/blobs/${algorithm}${prefix === undefined ? "" : `/${prefix}`}`;
}

export function layersPath(repository: string): StoragePath {
  return `${repositoryPath(repository)}/_layers`;
}

export function uploadsPath(repository: string): StoragePath {
  return `${repositoryPath(repository)}/_uploads`;
}

export function repositoryPath(repository: string): StoragePath {
  return `${repositoriesPath}/${repository}`;
}

export function layerLinkPath(repository: string, digest: Digest): StoragePath {
  return `${layersPath(repository)}/${placeOf(digest)}/link`;
}

export function manifestsPath(repository: string): StoragePath {
  return `${repositoryPath(repository)}/_manifests`;
}

export function revisionsPath(repository: string): StoragePath {
  return `${manifestsPath(repository)}/revisions`;
}

export function revisionLinkPath(repository: string, digest: Digest): StoragePath {
  return `${revisionsPath(repository)}/${placeOf(digest)}/link`;
}

export function tagsPath(repository: string): StoragePath {
  return `${manifestsPath(repository)}/tags`;
}

export function tagPath(repository: string, tag: string): StoragePath {
  return `${tagsPath(repository)}/${tag}`;
}

export function tagLinkPath(repository: string, tag: string): StoragePath {
  return `${tagPath(repository, tag)}/current/link`;
}

export function tagIndexPath(repository: string, tag: string): StoragePath {
  return `${tagPath(repository, tag)}/index`;
}

export function tagIndexLinkPath(repository: string, tag: string, digest: Digest): StoragePath {
  return `${tagIndexPath(repository, tag)}/${placeOf(digest)}/link`;
}

export function uploadPath(repository: string, id: string): StoragePath {
  return `${uploadsPath(repository)}/${id}`;
}

export function uploadDataPath(repository: string, id: string): StoragePath {
  return `${uploadPath(repository, id)}/data`;
}

export function uploadStartPath(repository: string, id: string): StoragePath {
  return `${uploadPath(repository, id)}/startedat`;
}

export const ownRoot: StoragePath = "/dewy/repositories";

export function tagHistoryPath(repository: string, tag: string): StoragePath {
  return `${tagHistoriesPath(repository)}/${tag}`;
}

export function tagHistoriesPath(repository: string): StoragePath {
  return `${ownRoot}/${repository}/_history`;
}

export function pullsPath(repository: string): StoragePath {
  return `${ownRoot}/${repository}/_pulls`;
}

export function pulledTagPath(repository: string, tag: string): StoragePath {
  return `${pullsPath(repository)}/tags/${tag}`;
}

export function pulledManifestPath(repository: string, digest: Digest): StoragePath {
  return `${pullsPath(repository)}/${placeOf(digest)}`;
}

function placeOf(digest: Digest): string {
  return `${algorithmOf(digest)}/${hexOf(digest)}`;
}
