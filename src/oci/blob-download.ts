import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { HttpAnswer } from "../base/http-client.ts";
import { type Connection, pullScope, pushScope } from "./connection.ts";
import type { Digest } from "./digest.ts";

/** A blob on its way. */
export interface OpenedBlob {
  bytes: Bytes;
  /** The byte it begins with. */
  from: number;
  /** How long the whole blob is; `undefined` from a server that does not tell. */
  size: number | undefined;
}

export async function openBlob(
  connection: Connection,
  repository: string,
  digest: Digest,
  { signal, from }: Call & { from: number },
): Promise<OpenedBlob> {
  const request = {
    what: `pull ${digest} of ${repository}`,
    missing: "BLOB_UNKNOWN",
    scope: pullScope(repository),
    url: connection.urlOf(`${repository}/blobs/${digest}`),
  } as const;
  if (from > 0) {
    const headers = { range: `bytes=${from}-` };
    const part = await connection.send(
      { ...request, headers, accept: [200, 206, 416] },
      { signal },
    );
    if (part.status === 200) return { bytes: part.body, from: 0, size: lengthOf(part) };
    if (part.status === 206 && startOf(part) === from) {
      return { bytes: part.body, from, size: wholeSizeOf(part) };
    }
    part.discard(); // it is shorter than what we have, or begins elsewhere: the digest will tell
  }
  const whole = await connection.send({ ...request, accept: [200] }, { signal });
  return { bytes: whole.body, from: 0, size: lengthOf(whole) };
}

export async function statBlob(
  connection: Connection,
  repository: string,
  digest: Digest,
  call: Call,
): Promise<{ size: number | undefined } | undefined> {
  const answer = await connection.send(
    {
      method: "HEAD",
      what: `look for ${digest} in ${repository}`,
      missing: "BLOB_UNKNOWN",
      scope: pullScope(repository),
      url: connection.urlOf(`${repository}/blobs/${digest}`),
      accept: [200, 404],
    },
    call,
  );
  answer.discard();
  return answer.status === 200 ? { size: lengthOf(answer) } : undefined;
}

export async function hasBlob(
  connection: Connection,
  repository: string,
  digest: Digest,
  call: Call,
): Promise<boolean> {
  const answer = await connection.send(
    {
      method: "HEAD",
      what: `look for ${digest} in ${repository}`,
      missing: "BLOB_UNKNOWN",
      scope: pushScope(repository),
      url: connection.urlOf(`${repository}/blobs/${digest}`),
      accept: [200, 404],
    },
    call,
  );
  answer.discard();
  return answer.status === 200;
}

/** A server may begin elsewhere than it was asked to, and says so (RFC 9110, 14.4). */
function startOf({ headers }: HttpAnswer): number | undefined {
  const [, start] = /^bytes (\d+)-/.exec(headers["content-range"] ?? "") ?? [];
  return start === undefined ? undefined : Number(start);
}

function lengthOf({ headers }: HttpAnswer): number | undefined {
  const length = headers["content-length"];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function wholeSizeOf({ headers }: HttpAnswer): number | undefined {
  const [, size] = /\/(\d{1,15})$/.exec(headers["content-range"] ?? "") ?? [];
  return size === undefined ? undefined : Number(size);
}
