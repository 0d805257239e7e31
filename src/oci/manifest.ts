import * as v from "valibot";
import { type Digest, isDigest } from "./digest.ts";
import { OciError } from "./error.ts";
import { hasMoreValues } from "./json-values.ts";

/** The media types of the image specification and of Docker's registry, version 2 schema 2. */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

/** Every manifest we take and give, the most general first. */
export const manifestMediaTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
];

const DigestField = v.pipe(
  v.string(),
  v.check(isDigest, "not a digest"),
  v.transform((text) => text as Digest),
);
const Annotations = v.record(v.string(), v.string());

/** Go programs write a list or field they have not set as `null`. */
function unset<const S extends v.GenericSchema>(schema: S) {
  return v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );
}

/** A platform as the image index names it: Go's words for operating system and architecture. */
const PlatformField = v.object({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string()),
});

/** Image specification, "Content Descriptors". */
const Descriptor = v.object({
  mediaType: v.string(),
  digest: DigestField,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  urls: unset(v.array(v.string())),
  annotations: unset(Annotations),
  artifactType: v.optional(v.string()),
  platform: unset(PlatformField),
});
export type Descriptor = v.InferOutput<typeof Descriptor>;

const shared = {
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  artifactType: v.optional(v.string()),
  subject: unset(Descriptor),
  annotations: unset(Annotations),
};
const ImageManifest = v.object({
  ...shared,
  config: Descriptor,
  layers: v.nullable(v.array(Descriptor), []),
});
const ImageIndex = v.object({ ...shared, manifests: v.nullable(v.array(Descriptor), []) });

export type ImageManifest = v.InferOutput<typeof ImageManifest>;
export type ImageIndex = v.InferOutput<typeof ImageIndex>;

/** Enough for an index of 25,000 images. Others wait while it is read. */
const maximumValues = 131_072;

/** A manifest as it was sent, and what it says. `mediaType` is the one it travels under. */
export type Manifest =
  | { kind: "image"; mediaType: string; content: ImageManifest }
  | { kind: "index"; mediaType: string; content: ImageIndex };

/**
 * Reads a manifest. `declaredType` is the `Content-Type` it came with, if any; without one the
 * manifest's own `mediaType` decides, and without that its shape.
 *
 * @throws {OciError} `MANIFEST_INVALID`, also when type and content contradict each other
 *   (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, declaredType?: string): Manifest {
  const document = documentIn(bytes);
  const ownType = typeof document.mediaType === "string" ? document.mediaType : undefined;
  const type = declaredType ?? ownType ?? shapeOf(document);
  if (!manifestMediaTypes.includes(type)) {
    throw invalid(`media type ${type} is not one of ${manifestMediaTypes.join(", ")}`);
  }
  if (ownType !== undefined && ownType !== type) {
    throw invalid(`it was sent as ${type} and calls itself ${ownType}`);
  }
  if (isIndexType(type)) {
    if ("config" in document || "layers" in document)
      throw invalid("an index has no config or layers");
    return { kind: "index", mediaType: type, content: checked(ImageIndex, document) };
  }
  if ("manifests" in document) throw invalid("an image manifest has no manifests");
  return { kind: "image", mediaType: type, content: checked(ImageManifest, document) };
}

/** The manifest in `bytes`; `undefined` for schema 1, and for whatever else we do not know. */
export function readableManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    return parseManifest(bytes);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

function documentIn(bytes: Uint8Array): Record<string, unknown> {
  if (hasMoreValues(bytes, maximumValues)) throw invalid("there is too much in it");
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid("it is not JSON", error);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw invalid("it is not a JSON object");
  }
  return document as Record<string, unknown>;
}

function shapeOf(document: Record<string, unknown>): string {
  if (document.schemaVersion === 1)
    throw invalid("schema version 1 is long gone; push it again with a current client");
  return "manifests" in document ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function checked<const S extends v.GenericSchema>(schema: S, document: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(`${v.getDotPath(issue) ?? "(top level)"}: ${issue.message}`);
}

function invalid(why: string, cause?: unknown): OciError {
  return new OciError("MANIFEST_INVALID", `the manifest cannot be read: ${why}`, { cause });
}
