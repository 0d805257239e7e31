import { ConfigError } from "../../base/errors.ts";
import { versionFor } from "../../oci/release-artifact.ts";
import type { ArtifactPlace } from "./artifact-source.ts";
import { parseLocation } from "./location.ts";

/** `ghr://owner/repository/tag/TAG/ASSET`; the tag may have slashes of its own. */
export function githubArtifactPlace(url: string): ArtifactPlace {
  const location = parseLocation(url);
  const [owner, repository, word, ...rest] = location.place.split("/");
  const artifact = rest.pop();
  const tag = rest.join("/");
  if (word !== "tag" || tag === "" || !artifact) {
    throw new ConfigError("this names no file of a GitHub release", {
      hint: "write it as ghr://owner/repository/tag/v1.2.3/app_linux_amd64.tar.gz",
    });
  }
  return { registry: { ...location, place: `${owner}/${repository}` }, tag, artifact };
}

/** `img://host/repository:TAG` or `img://host/repository@sha256:…` */
export function ociArtifactPlace(url: string): ArtifactPlace {
  const location = parseLocation(url);
  const [, place, tag, digest] = /^(.+?)(?::([^/:@]+)|@([^/@]+))$/.exec(location.place) ?? [];
  if (place === undefined || (tag === undefined && digest === undefined)) {
    throw new ConfigError("this names no tag of an image repository", {
      hint: "write it as img://host/repository:v1.2.3",
    });
  }
  return {
    registry: { ...location, place },
    tag: digest ?? versionFor(tag ?? ""),
    artifact: undefined,
  };
}
