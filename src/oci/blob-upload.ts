import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { type Connection, pushScope } from "./connection.ts";
import type { Digest } from "./digest.ts";
import { OciError } from "./error.ts";

/** Bytes that can be read again, when the first sending has to be repeated. */
export interface BlobSource {
  digest: Digest;
  sizeBytes: number;
  open(): Bytes;
}

/** A registry on an object store copies the whole blob to its place before it answers. */
const commitLimitMs = 600_000;

/**
 * Pushes a blob in two requests, POST and PUT (distribution specification, "Pushing a blob
 * monolithically", POST then PUT).
 *
 * @throws {OciError} what the server refuses, or `BLOB_UPLOAD_INVALID` for a useless Location
 */
export async function pushBlob(
  connection: Connection,
  repository: string,
  source: BlobSource,
  { signal, progress }: Call & { progress?: (bytes: number) => void },
): Promise<void> {
  const request = {
    what: `push ${source.digest} to ${repository}`,
    missing: "NAME_UNKNOWN",
    scope: pushScope(repository),
  } as const;
  const start = connection.urlOf(`${repository}/blobs/uploads/`);
  const begun = await connection.send(
    { ...request, method: "POST", url: start, accept: [202] },
    { signal },
  );
  begun.discard();

  const url = uploadUrl(begun.headers.location, start);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(source.digest)}`;
  const ended = await connection.send(
    {
      ...request,
      method: "PUT",
      missing: "BLOB_UPLOAD_UNKNOWN",
      url,
      accept: [201],
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(source.sizeBytes),
      },
      body: () => counted(source.open(), progress),
      responseMs: commitLimitMs,
    },
    { signal },
  );
  ended.discard();
}

/** Relative or absolute; the query is the server's, and stays as it is. */
function uploadUrl(location: string | undefined, start: URL): URL {
  if (location !== undefined && URL.canParse(location, start.href)) {
    const url = new URL(location, start);
    const isDowngrade = start.protocol === "https:" && url.protocol !== "https:";
    if (!isDowngrade && /^https?:$/.test(url.protocol)) return url;
  }
  throw new OciError("BLOB_UPLOAD_INVALID", `${start.host} wants the upload sent to ${location}`, {
    hint: "have the proxy before the registry pass on Host and X-Forwarded-Proto",
  });
}

async function* counted(source: Bytes, progress: ((bytes: number) => void) | undefined) {
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    bytes += chunk.length;
    progress?.(bytes);
  }
}
