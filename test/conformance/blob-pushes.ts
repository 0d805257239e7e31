import { expect } from "vitest";
import { algorithmOf, type Digest } from "../../src/oci/digest.ts";
import { answered, locationOf, type Sent, withDigest } from "./client.ts";

/** Pushes a blob into the repository at this URL, and resolves to where it then is. */
export type Push = (repository: string, bytes: Buffer, digest: Digest) => Promise<string>;

/** Every way the specification knows of bringing a blob's bytes. */
export const pushes: Record<string, Push> = {
  "POST only": async (repository, bytes, digest) => {
    const url = withDigest(`${repository}/blobs/uploads/`, digest);
    return locationOf(await answered(201, "POST", url, { body: bytes }), url);
  },

  "POST and PUT": async (repository, bytes, digest) =>
    end(await begin(repository), digest, { body: bytes }),

  "one chunk": async (repository, bytes, digest) =>
    end(await send(await begin(repository), chunkOf(bytes, 0, bytes.length)), digest),

  stream: async (repository, bytes, digest) =>
    end(await send(await begin(repository), { body: bytes, streamed: true }), digest),

  "several chunks": async (repository, bytes, digest) => {
    let location = await begin(repository);
    for (const [from, to] of thirds(bytes)) {
      location = await send(location, chunkOf(bytes, from, to));
    }
    return end(location, digest);
  },

  "several chunks, the last with the PUT": async (repository, bytes, digest) => {
    const [first, second, [from, to]] = thirds(bytes);
    let location = await begin(repository);
    for (const range of [first, second]) location = await send(location, chunkOf(bytes, ...range));
    return end(location, digest, chunkOf(bytes, from, to));
  },

  "chunks out of order": async (repository, bytes, digest) => {
    let location = await begin(repository);
    for (const [from, to] of thirds(bytes)) {
      await refusedOutOfOrder(location, bytes, from);
      location = await send(location, chunkOf(bytes, from, to));
    }
    return end(location, digest);
  },

  "chunks out of order, the last with the PUT": async (repository, bytes, digest) => {
    const [first, second, [from, to]] = thirds(bytes);
    let location = await begin(repository);
    for (const range of [first, second]) {
      await refusedOutOfOrder(location, bytes, range[0]);
      location = await send(location, chunkOf(bytes, ...range));
    }
    await refusedOutOfOrder(location, bytes, from, digest);
    return end(location, digest, chunkOf(bytes, from, to));
  },

  "a hint of the algorithm": async (repository, bytes, digest) => {
    const url = `${repository}/blobs/uploads/?digest-algorithm=${algorithmOf(digest)}`;
    const location = locationOf(await answered(202, "POST", url), url);
    return end(await send(location, { body: bytes }), digest);
  },
};

export async function begin(repository: string): Promise<string> {
  const url = `${repository}/blobs/uploads/`;
  return locationOf(await answered(202, "POST", url), url);
}

export async function send(location: string, sent: Sent): Promise<string> {
  return locationOf(await answered(202, "PATCH", location, sent), location);
}

export function chunkOf(bytes: Buffer, from: number, to: number): Sent {
  const body = bytes.subarray(from, to);
  // Nothing has no first and last byte, so it cannot say its range.
  return body.length === 0 ? { body } : { body, headers: { "content-range": `${from}-${to - 1}` } };
}

async function end(location: string, digest: Digest, last: Sent = {}): Promise<string> {
  const answer = await answered(201, "PUT", withDigest(location, digest), last);
  expect(answer.headers.get("docker-content-digest")).toBe(digest);
  return locationOf(answer, location);
}

/** A chunk from elsewhere is 416, and the upload goes on where it really ends. */
async function refusedOutOfOrder(
  location: string,
  bytes: Buffer,
  received: number,
  digest?: Digest,
): Promise<void> {
  const wrong = chunkOf(bytes, received + 10, received + 20);
  await answered(416, "PATCH", location, wrong);
  if (digest) await answered(416, "PUT", withDigest(location, digest), wrong);
  const status = await answered(204, "GET", location);
  expect(status.headers.get("location")).not.toBeNull();
  if (received > 0) expect(status.headers.get("range")).toBe(`0-${received - 1}`);
}

type Range = [from: number, to: number];

function thirds({ length }: Buffer): [Range, Range, Range] {
  const [one, two] = [Math.floor(length / 3), Math.floor((2 * length) / 3)];
  return [
    [0, one],
    [one, two],
    [two, length],
  ];
}
