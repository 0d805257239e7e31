import type { Digest } from "./digest.ts";
import { digestOf } from "./digest.ts";
import { type Descriptor, type ImageIndex, type ImageManifest, mediaTypes } from "./manifest.ts";

/** Marks what `dewy push` wrote. */
export const releaseArtifactType = "application/vnd.dewy.release.v1";

export const annotationKeys = {
  title: "org.opencontainers.image.title",
  version: "org.opencontainers.image.version",
  created: "org.opencontainers.image.created",
} as const;

export type ReleasePlatform = NonNullable<Descriptor["platform"]>;

/** A file of a release, when its bytes are known. */
export interface ReleaseFile {
  /** Without a directory. */
  name: string;
  platform: ReleasePlatform | undefined;
  sizeBytes: number;
  digest: Digest;
}

/** A manifest in the bytes it is pushed in. */
export interface BuiltManifest {
  mediaType: string;
  bytes: Buffer;
  digest: Digest;
}

export interface BuiltRelease {
  /** What is pushed by digest, before `top`. */
  children: BuiltManifest[];
  /** What the tag is to point at. */
  top: BuiltManifest;
}

/** The config of an artifact that has none (image specification, "Guidance for an Empty Descriptor"). */
export const emptyConfig = {
  mediaType: mediaTypes.empty,
  digest: digestOf("{}"),
  size: 2,
  data: Buffer.from("{}").toString("base64"),
} as const;

/**
 * Lays out a release: one image manifest per platform with a layer per file, and an index over
 * them; files of no platform alone need no index.
 */
export function buildRelease(
  files: readonly ReleaseFile[],
  { version, created }: { version: string; created: Date },
): BuiltRelease {
  const annotations = {
    [annotationKeys.created]: created.toISOString(),
    [annotationKeys.version]: version,
  };
  const groups = groupsOf(files).map((group) => ({
    platform: group[0]?.platform,
    manifest: built(mediaTypes.ociManifest, manifestOf(group, annotations)),
  }));
  const [only] = groups;
  if (groups.length === 1 && only && only.platform === undefined) {
    return { children: [], top: only.manifest };
  }
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    artifactType: releaseArtifactType,
    manifests: groups.map(({ platform, manifest: { mediaType, digest, bytes } }) => ({
      mediaType,
      digest,
      size: bytes.length,
      artifactType: releaseArtifactType,
      ...(platform ? { platform } : {}),
    })),
    annotations,
  };
  return {
    children: groups.map(({ manifest }) => manifest),
    top: built(mediaTypes.ociIndex, index),
  };
}

/** The files a manifest carries: ours, and whatever else has layers with a title, as oras pushes. */
export function filesIn(
  { layers }: ImageManifest,
  platform: ReleasePlatform | undefined,
): ReleaseFile[] {
  return layers.flatMap(({ annotations, size, digest }) => {
    // oras keeps the directory a file was pushed from; only the last part is the file's name.
    const name = annotations?.[annotationKeys.title]?.split("/").at(-1) ?? "";
    if (name === "" || name === "." || name === "..") return [];
    return [{ name, platform, sizeBytes: size, digest }];
  });
}

/** When a release says it was made; `undefined` when it does not, or not in words we know. */
export function createdIn({ annotations }: ImageManifest | ImageIndex): Date | undefined {
  const date = new Date(annotations?.[annotationKeys.created] ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** A tag cannot hold the `+` of build metadata, so it is written `_`: `v1.2.3_blue`. */
export function tagFor(version: string): string {
  return version.replace("+", "_");
}

/** The version a tag stands for: the inverse of `tagFor`. */
export function versionFor(tag: string): string {
  return tag.replace("_", "+");
}

export function mediaTypeOf(name: string): string {
  const [, type = "application/octet-stream"] =
    mediaTypeByEnding.find(([ending]) => ending.test(name)) ?? [];
  return type;
}

const mediaTypeByEnding: [RegExp, string][] = [
  [/\.(gz|tgz)$/i, "application/gzip"],
  [/\.zip$/i, "application/zip"],
  [/\.(zst|tzst)$/i, "application/zstd"],
  [/\.(xz|txz)$/i, "application/x-xz"],
  [/\.(bz2|tbz2|tbz)$/i, "application/x-bzip2"],
  [/\.tar$/i, "application/x-tar"],
];

function groupsOf(files: readonly ReleaseFile[]): ReleaseFile[][] {
  const groups = new Map<string, ReleaseFile[]>();
  for (const file of files) {
    const { os, architecture, variant } = file.platform ?? {};
    const key = [os, architecture, variant].join("/");
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups.values()];
}

function manifestOf(group: ReleaseFile[], annotations: Record<string, string>) {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: releaseArtifactType,
    config: emptyConfig,
    layers: group.map(({ name, digest, sizeBytes }) => ({
      mediaType: mediaTypeOf(name),
      digest,
      size: sizeBytes,
      annotations: { [annotationKeys.title]: name },
    })),
    annotations,
  };
}

function built(mediaType: string, content: object): BuiltManifest {
  const bytes = Buffer.from(JSON.stringify(content));
  return { mediaType, bytes, digest: digestOf(bytes) };
}
