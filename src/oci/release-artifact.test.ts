import { describe, expect, it } from "vitest";
import { digestOf } from "./digest.ts";
import { type ImageIndex, type Manifest, parseManifest } from "./manifest.ts";
import {
  buildRelease,
  createdIn,
  filesIn,
  mediaTypeOf,
  releaseArtifactType,
  tagFor,
  versionFor,
} from "./release-artifact.ts";

const created = new Date("2026-01-01T00:00:00Z");
const amd64 = { os: "linux", architecture: "amd64" };
const armv7 = { os: "linux", architecture: "arm", variant: "v7" };

describe("buildRelease", () => {
  it("makes one manifest of files without a platform", () => {
    const { children, top } = build([undefined, undefined]);
    const manifest = read(top);

    expect(children).toEqual([]);
    expect(manifest).toMatchObject({
      kind: "image",
      content: {
        artifactType: releaseArtifactType,
        config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
        annotations: { "org.opencontainers.image.version": "v1.0.0+blue" },
      },
    });
    expect(JSON.parse(top.bytes.toString()).config.data).toBe("e30=");
    if (manifest.kind === "image") {
      expect(filesIn(manifest.content, undefined)).toEqual([file(0), file(1)]);
    }
  });

  it("makes an index over a manifest for each platform", () => {
    const { children, top } = build([amd64, armv7, amd64]);
    const index = read(top).content as ImageIndex;

    expect(index.artifactType).toBe(releaseArtifactType);
    expect(createdIn(index)).toEqual(created);
    expect(index.manifests).toMatchObject([
      { platform: amd64, artifactType: releaseArtifactType, digest: children[0]?.digest },
      { platform: armv7, artifactType: releaseArtifactType, digest: children[1]?.digest },
    ]);
    expect(children.map((child) => filesOf(read(child)))).toEqual([["file0", "file2"], ["file1"]]);
  });

  it("makes an index of a single platform, too, as the platform stands nowhere else", () => {
    expect(read(build([amd64]).top).kind).toBe("index");
  });

  it("is the same bytes for the same files", () => {
    expect(build([amd64]).top.digest).toBe(build([amd64]).top.digest);
  });
});

it.each([
  ["v1.2.3+blue", "v1.2.3_blue"],
  ["v1.2.3", "v1.2.3"],
  ["v1.2.3-rc.1+a.b", "v1.2.3-rc.1_a.b"],
])("writes %s as the tag %s, and reads it back", (version, tag) => {
  expect(tagFor(version)).toBe(tag);
  expect(versionFor(tag)).toBe(version);
});

it.each([
  ["a.tar.gz", "application/gzip"],
  ["a.TGZ", "application/gzip"],
  ["a.zip", "application/zip"],
  ["a.tar.zst", "application/zstd"],
  ["a.tar.xz", "application/x-xz"],
  ["a.tbz2", "application/x-bzip2"],
  ["a.tar", "application/x-tar"],
  ["a", "application/octet-stream"],
])("calls %s %s", (name, type) => {
  expect(mediaTypeOf(name)).toBe(type);
});

function build(platforms: Parameters<typeof file>[1][]) {
  const files = platforms.map((platform, index) => file(index, platform));
  return buildRelease(files, { version: "v1.0.0+blue", created });
}

function file(index: number, platform?: { os: string; architecture: string; variant?: string }) {
  return { name: `file${index}`, platform, sizeBytes: index, digest: digestOf(String(index)) };
}

const read = ({ bytes, mediaType }: { bytes: Buffer; mediaType: string }) =>
  parseManifest(bytes, mediaType);

function filesOf(manifest: Manifest): string[] {
  if (manifest.kind === "index") throw new Error("not an image manifest");
  return filesIn(manifest.content, undefined).map(({ name }) => name);
}
