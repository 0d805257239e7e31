import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { HttpAnswer } from "../base/http-client.ts";
import { type Connection, pullScope, pushScope } from "./connection.ts";
import type { Digest } from "./digest.ts";
import { OciError } from "./error.ts";

export async function openBlob(
  connection: Connection,
  repository: string,
  digest: Digest,
  { signal, from }: Call & { from: number },
): Promise<{ bytes: Bytes; from: number }> {
  const request = {
    what: `pull ${digest} of ${repository}`,
    missing: "BLOB_UNKNOWN",
    scope: pullScope(repository),
    url: connection.urlOf(`${repository}/blobs/${digest}`),
    accept: [200, 206, 416],
  } as const;
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  let answer = await connection.send({ ...request, headers: range }, { signal });
  if (answer.status === 416) {
    answer.discard(); // it is shorter than what we have: begin again, the digest will tell
    answer = await connection.send({ ...request, accept: [200] }, { signal });
  }
  return {
    bytes: answer.body,
    from: answer.status === 206 ? startOf(answer, from, connection.host) : 0,
  };
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

/** A server may begin earlier than it was asked to, and says so (RFC 9110, 14.4). */
function startOf({ headers }: HttpAnswer, asked: number, host: string): number {
  const [, start] = /^bytes (\d+)-/.exec(headers["content-range"] ?? "") ?? [];
  if (start !== undefined && Number(start) === asked) return asked;
  throw new OciError("RANGE_INVALID", `${host} was asked to begin at ${asked}, not at ${start}`, {
    hint: "try again; the next attempt starts from the beginning",
  });
}
