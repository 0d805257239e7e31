import type { Call } from "../../base/call.ts";
import { type ArtifactRules, artifactFor } from "../choose/artifact.ts";
import type { Artifact, OpenedArtifact } from "../release.ts";
import type { Location } from "./location.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure } from "./registry-failure.ts";

/** One artifact, at a URL of its own that a registry answered with. */
export interface ArtifactSource {
  /** The file that is there. @throws {ReleaseRegistryError} `NOT_FOUND` */
  stat(call: Call): Promise<Artifact>;
  /** Opens what `stat` resolved to. */
  open(artifact: Artifact, call: Call & { from: number }): Promise<OpenedArtifact>;
  close(): Promise<void>;
}

/**
 * Nothing is asked yet. Where the URL stands for several files, `rules` pick the one that is meant.
 *
 * @throws {ConfigError} for a URL of another form, or credentials that are missing for it
 */
export type OpenArtifactUrl = (
  url: string,
  parts: RegistryParts,
  rules: ArtifactRules,
) => Promise<ArtifactSource>;

/** An artifact's URL, as a release registry that has it would be told. */
export interface ArtifactPlace {
  registry: Location;
  tag: string;
  /** The file's name, where the URL says it. */
  artifact: string | undefined;
}

/** Makes the artifacts of a scheme's releases reachable by URLs of their own. */
export function artifactInRelease(
  placeOf: (url: string) => ArtifactPlace,
  openRegistry: (location: Location, parts: RegistryParts) => Promise<OpenedReleaseRegistry>,
): OpenArtifactUrl {
  return async (url, parts, given) => {
    const { registry: location, tag, artifact } = placeOf(url);
    const { registry, rules } = await openRegistry(location, parts);
    const wanted = artifact ?? rules.artifact ?? given.artifact;

    return {
      async stat(call) {
        const release = await registry.release(tag, call);
        const found = release && artifactFor(release, { ...given, artifact: wanted });
        if (found) return found;
        const { os, architecture } = given.platform;
        const what = wanted ?? `artifact for ${os}/${architecture}`;
        const message = `${registry.name} has no ${release ? what : "release"} under ${tag}`;
        throw failure("NOT_FOUND", message, { hint: "publish it there, or announce another" });
      },
      open: (found, call) => registry.open(found, call),
      close: () => registry.close(),
    };
  };
}
