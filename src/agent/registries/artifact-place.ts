import { ConfigError } from "../../base/errors.ts";
import { isLoopback } from "../../oci/reference.ts";
import { versionFor } from "../../oci/release-artifact.ts";
import type { ArtifactPlace } from "./artifact-source.ts";
import { type Location, parseLocation } from "./location.ts";

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

/** `s3://region/bucket/prefix/TAG/FILE` or `gs://bucket/prefix/TAG/FILE`, without a project. */
export function bucketArtifactPlace(url: string): ArtifactPlace {
  const location = encrypted(parseLocation(url));
  const parts = location.place.split("/");
  const [tag, artifact] = parts.splice(-2);
  const roots = location.scheme === "s3" ? 2 : 1;
  if (parts.length < roots || !tag || !artifact) {
    throw new ConfigError("this names no file of a release in a bucket", {
      hint: `write it as ${location.scheme}://${roots === 2 ? "region/" : ""}bucket/prefix/v1.2.3/app_linux_amd64.tar.gz`,
    });
  }
  const root = parts.slice(0, roots).join("/");
  const prefix = parts.slice(roots).join("%2F"); // as one part, for gs:// to see no project in it
  const place = prefix === "" ? root : `${root}/${prefix}`;
  return { registry: { ...location, place }, tag: decoded(tag), artifact: decoded(artifact) };
}

/** As it stands where it escapes nothing: a file of a bucket may have any name. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `img://host/repository:TAG` or `img://host/repository@sha256:…` */
export function ociArtifactPlace(url: string): ArtifactPlace {
  const location = encrypted(parseLocation(url));
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

/** Who announces a URL must not make this host send its credentials where anybody can read them. */
function encrypted(location: Location): Location {
  const endpoint = location.query.get("endpoint") ?? "";
  const isPlain =
    /^http:/i.test(endpoint) && !(URL.canParse(endpoint) && isLoopback(new URL(endpoint).host));
  if (!isPlain && !location.query.has("insecure")) return location;
  throw new ConfigError("this would send credentials over plain HTTP", {
    hint: "announce it without insecure, and with an endpoint that begins with https://",
  });
}
