import { mediaTypes } from "../../oci/manifest.ts";

const schemaOne = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/**
 * The type a stored manifest travels under, which the layout keeps nowhere: its own `mediaType`, or
 * else what its shape says, as Distribution does. Old directories also hold schema 1.
 */
export function storedMediaType(bytes: Uint8Array): string {
  const document = documentIn(bytes);
  if (typeof document?.mediaType === "string" && isHeaderSafe(document.mediaType)) {
    return document.mediaType;
  }
  if (document?.schemaVersion === 1) return schemaOne;
  return document !== undefined && "manifests" in document
    ? mediaTypes.ociIndex
    : mediaTypes.ociManifest;
}

function documentIn(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof document === "object" && document !== null
      ? (document as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isHeaderSafe(text: string): boolean {
  return /^[\w.+/-]{1,255}$/.test(text);
}
