import type { Call } from "../base/call.ts";
import { type Connection, collectFrom, pullScope, pushScope } from "./connection.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "./digest.ts";
import { OciError } from "./error.ts";
import { manifestMediaTypes } from "./manifest.ts";

export interface ManifestHead {
  /** `undefined` from the few servers that do not tell. */
  digest: Digest | undefined;
  /** Empty when the server only said that nothing has changed. */
  mediaType: string;
}

export interface FetchedManifest {
  bytes: Buffer;
  /** What it travelled under; `undefined` when the server did not say. */
  mediaType: string | undefined;
  digest: Digest;
}

const maximumManifestBytes = 4 * 1024 * 1024;

export async function headManifest(
  connection: Connection,
  repository: string,
  reference: string,
  { signal, known }: Call & { known?: Digest | undefined },
): Promise<ManifestHead | undefined> {
  const request = manifestRequest(connection, "HEAD", repository, reference);
  const headers =
    known === undefined ? request.headers : { ...request.headers, "if-none-match": `"${known}"` };
  const answer = await connection.send({ ...request, headers }, { signal });
  answer.discard();
  if (answer.status === 404) return undefined;
  if (answer.status === 304) return { digest: known, mediaType: "" };
  const { "content-type": type = "", "docker-content-digest": digest = "" } = answer.headers;
  return { digest: isDigest(digest) ? digest : undefined, mediaType: bareType(type) };
}

export async function fetchManifest(
  connection: Connection,
  repository: string,
  reference: string,
  call: Call,
): Promise<FetchedManifest> {
  const answer = await connection.send(
    manifestRequest(connection, "GET", repository, reference),
    call,
  );
  const bytes = await collectFrom(answer, maximumManifestBytes, connection.host);
  const type = bareType(answer.headers["content-type"] ?? "");
  const mediaType = manifestMediaTypes.includes(type) ? type : undefined;
  const named = isDigest(reference) ? reference : answer.headers["docker-content-digest"];
  return { bytes, mediaType, digest: checkedDigest(bytes, named, connection.host) };
}

export async function pushManifest(
  connection: Connection,
  repository: string,
  reference: string,
  { bytes, mediaType }: { bytes: Uint8Array; mediaType: string },
  call: Call,
): Promise<Digest> {
  const answer = await connection.send(
    {
      method: "PUT",
      what: `push ${nameOf(repository, reference)}`,
      missing: "NAME_UNKNOWN",
      scope: pushScope(repository),
      url: connection.urlOf(`${repository}/manifests/${reference}`),
      accept: [200, 201, 202],
      headers: { "content-type": mediaType },
      body: () => bytes,
    },
    call,
  );
  answer.discard();
  const named = isDigest(reference) ? reference : answer.headers["docker-content-digest"];
  return checkedDigest(bytes, named, connection.host);
}

function manifestRequest(
  connection: Connection,
  method: "HEAD" | "GET",
  repository: string,
  reference: string,
) {
  return {
    method,
    what: `pull ${nameOf(repository, reference)}`,
    missing: "MANIFEST_UNKNOWN",
    scope: pullScope(repository),
    url: connection.urlOf(`${repository}/manifests/${reference}`),
    headers: { accept: manifestMediaTypes.join(", ") },
    accept: method === "HEAD" ? [200, 304, 404] : [200],
  } as const;
}

function checkedDigest(bytes: Uint8Array, expected: string | undefined, host: string): Digest {
  if (expected === undefined || !isDigest(expected)) return digestOf(bytes);
  const actual = digestOf(bytes, algorithmOf(expected));
  if (actual === expected) return actual;
  throw new OciError("DIGEST_INVALID", `${host} says ${expected}, but the bytes are ${actual}`, {
    hint: "try again; something between here and the registry changes what it sends",
  });
}

function nameOf(repository: string, reference: string): string {
  return repository + (isDigest(reference) ? "@" : ":") + reference;
}

function bareType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}
