import { ConfigError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { AskedPolicy } from "../verify/policy.ts";
import { bucketArtifactPlace, githubArtifactPlace, ociArtifactPlace } from "./artifact-place.ts";
import { artifactInRelease, type OpenArtifactUrl } from "./artifact-source.ts";
import { openGithubReleases } from "./github-releases.ts";
import { openGrpcRegistry } from "./grpc.ts";
import { openHttpArtifact } from "./http-artifact.ts";
import { type Location, parseLocation } from "./location.ts";
import { openGcsRegistry, openS3Registry } from "./objects.ts";
import { openOciRegistry } from "./oci.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";

export type { OpenedReleaseRegistry, QueryRules, RegistryParts } from "./parts.ts";

type Open = (location: Location, parts: RegistryParts) => Promise<OpenedReleaseRegistry>;

const drivers: Record<string, Open> = {
  ghr: openGithubReleases,
  img: openOciRegistry,
  s3: openS3Registry,
  gs: openGcsRegistry,
  grpc: (location, parts) => openGrpcRegistry(location, parts, openArtifactUrl),
};

/** What the URL of an artifact may begin with, where a registry announces files of other places. */
const artifactUrls: Record<string, OpenArtifactUrl> = {
  https: openHttpArtifact,
  http: openHttpArtifact,
  ghr: artifactInRelease(githubArtifactPlace, openGithubReleases),
  img: artifactInRelease(ociArtifactPlace, openOciRegistry),
  s3: artifactInRelease(bucketArtifactPlace, openS3Registry),
  gs: artifactInRelease(bucketArtifactPlace, openGcsRegistry),
};

/**
 * Opens the release registry that `--registry` names. Nothing is asked of it yet.
 *
 * @throws {ConfigError} in one line, for whatever is wrong with the URL or missing for it
 */
export async function openReleaseRegistry(
  url: string,
  parts: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const location = parseLocation(url);
  const { scheme } = location;
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) {
    const { rules, ...opened } = await open(location, parts);
    const [calver, constraint] = ["calver", "constraint"].map((name) => location.query.get(name));
    const verify = location.query.get("verify") as AskedPolicy | undefined; // checked by the driver
    return { ...opened, rules: { ...rules, calver, constraint, verify } };
  }
  const known = Object.keys(drivers);
  const meant = aliases[scheme] ?? nearest(scheme, known);
  throw new ConfigError(`--registry: there is no release registry ${scheme}://`, {
    hint: meant ? `write ${meant}:// instead` : `choose from: ${known.join("://, ")}://`,
  });
}

/** Opens the artifact that another registry announced by its URL. */
const openArtifactUrl: OpenArtifactUrl = async (url, parts, rules) => {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? "";
  const open = Object.hasOwn(artifactUrls, scheme) ? artifactUrls[scheme] : undefined;
  if (open) return open(url, parts, rules);
  const known = Object.keys(artifactUrls).filter((one) => one !== "http");
  throw new ConfigError(scheme ? `nothing is fetched by ${scheme}://` : "this is no URL", {
    hint: `let the server answer with one of: ${known.join("://, ")}://`,
  });
};

/** What people, and the original's help text, call them. */
const aliases: Record<string, string | undefined> = {
  docker: "img",
  oci: "img",
  github: "ghr",
  gcs: "gs",
};
