import { type Digest, parseDigest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import type { Blob } from "../images/blobs.ts";
import { parseRange } from "./byte-range.ts";
import {
  type Answer,
  type ApiParts,
  type Inquiry,
  isKnownToClient,
  type Methods,
} from "./exchange.ts";

/** `/v2/<name>/blobs/<digest>` (distribution specification, end-2 and end-10). */
export function blobMethods(
  { repository, digest: text }: { repository: string; digest: string },
  { request, call }: Inquiry,
  { store: { blobs }, deletion }: ApiParts,
): Methods {
  const digest = parseDigest(text);
  return {
    async GET() {
      const blob = await blobs.find(repository, digest, call);
      if (blob === undefined) throw unknownBlob(digest);
      if (isKnownToClient(request, digest)) return { status: 304, headers: headersOf(digest) };
      const { range, "if-range": condition = `"${digest}"` } = request.headers;
      const part = condition === `"${digest}"` ? parseRange(range, blob.size) : undefined;
      if (part === "unsatisfiable") return unsatisfiable(blob.size);
      return part === undefined
        ? wholeOf(blob)
        : partOf(blob, part, `bytes ${part.from}-${part.to - 1}/${blob.size}`);
    },

    async DELETE() {
      if (deletion === "refused") throw deletionRefused();
      if (!(await blobs.unlink(repository, digest, call))) throw unknownBlob(digest);
      return { status: 202, headers: { "content-length": 0 } };
    },
  };

  function wholeOf(blob: Blob): Answer {
    const headers = { ...headersOf(digest), "content-length": blob.size };
    return { status: 200, headers, body: () => blob.open({}, call) };
  }

  function partOf(blob: Blob, part: { from: number; to: number }, contentRange: string): Answer {
    const headers = {
      ...headersOf(digest),
      "content-length": part.to - part.from,
      "content-range": contentRange,
    };
    return { status: 206, headers, body: () => blob.open(part, call) };
  }
}

export function deletionRefused(): OciError {
  return new OciError("UNSUPPORTED", "this registry does not delete", {
    hint: "set storage.delete.enabled: true",
  });
}

function headersOf(digest: Digest) {
  return {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000",
  };
}

function unsatisfiable(size: number): Answer {
  return { status: 416, headers: { "content-range": `bytes */${size}`, "content-length": 0 } };
}

function unknownBlob(digest: Digest): OciError {
  return new OciError("BLOB_UNKNOWN", "the repository has no such blob", { detail: digest });
}
