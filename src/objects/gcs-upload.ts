import { randomUUID } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import { algorithmOf, type Digest, hexOf } from "../oci/digest.ts";

export interface UploadedObject {
  name: string;
  contentType: string | undefined;
  digest: Digest | undefined;
}

/**
 * The body of the JSON API's multipart upload ("Uploads and downloads"): what is said about an object
 * and its bytes in one request, so that neither is ever there without the other.
 */
export function multipart(
  { name, contentType = "application/octet-stream", digest }: UploadedObject,
  bytes: Uint8Array | Bytes,
  sizeBytes: number,
): { headers: Record<string, string>; body: Bytes } {
  const boundary = `dewy-${randomUUID()}`;
  const isTold = digest && algorithmOf(digest) === "sha256";
  const metadata = isTold ? { metadata: { sha256: hexOf(digest) } } : {};
  const json = JSON.stringify({ name, contentType, ...metadata });
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${json}\r\n` +
      `--${boundary}\r\nContent-Type: ${contentType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    headers: {
      "content-type": `multipart/related; boundary=${boundary}`,
      "content-length": String(head.length + sizeBytes + tail.length),
    },
    body: joined(head, bytes, tail),
  };
}

async function* joined(
  head: Uint8Array,
  bytes: Uint8Array | Bytes,
  tail: Uint8Array,
): AsyncGenerator<Uint8Array> {
  yield head;
  if (bytes instanceof Uint8Array) yield bytes;
  else yield* bytes;
  yield tail;
}
