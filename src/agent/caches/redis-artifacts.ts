import { randomUUID } from "node:crypto";
import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ArtifactCache, CacheError } from "../cache.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { dropArtifact, keepArtifact, useArtifact } from "./redis-scripts.ts";

const mib = 1024 ** 2;
const chunkBytes = mib;
/** Redis keeps everything in memory: what is larger comes from the registry for each host. */
const largestBytes = 64 * mib;
const monthMs = `${30 * 86_400_000}`;
/** A chunk of a put that broke off is gone after it. */
const uploadMs = "3600000";

/** Artifacts in chunks, which are Redis strings. */
export function redisArtifacts(
  connection: RedisConnection,
  options: { name: string; maximumBytes: number },
): ArtifactCache {
  const { name } = options;
  const maximumBytes = Math.min(largestBytes, options.maximumBytes);
  const script = (text: string, parameters: readonly string[], call: Call) =>
    connection.command("EVAL", [text, "0", ...parameters], call);

  return {
    maximumBytes,

    async has(digest, call) {
      return Number(await connection.command("EXISTS", [keyOf(digest)], call)) === 1;
    },

    async open(digest, call) {
      const found = await script(useArtifact, [digest, monthMs], call);
      if (!Array.isArray(found)) return undefined;
      const [id, size] = found.map(String);
      const sizeBytes = Number(size);
      const from = call.from < sizeBytes ? call.from : 0;
      return { bytes: chunksFrom(`${keyOf(digest)}:${id}`, sizeBytes, from, call), from };
    },

    async put({ digest, sizeBytes }, bytes, call) {
      if (sizeBytes > maximumBytes) {
        const message = `${name} takes no artifact of more than ${maximumBytes} bytes`;
        throw new CacheError("TOO_LARGE", message);
      }
      const id = randomUUID();
      let chunks = 0;
      for await (const chunk of inChunks(bytes)) {
        const key = `${keyOf(digest)}:${id}:${chunks++}`;
        await connection.command("SET", [key, chunk, "PX", uploadMs], call);
      }
      const total = `${options.maximumBytes}`;
      const kept = [digest, monthMs, id, `${sizeBytes}`, `${chunks}`, total];
      if (Number(await script(keepArtifact, kept, call)) === 1) return;
      throw new CacheError("UNAVAILABLE", `${name} has not the memory for ${sizeBytes} bytes`, {
        hint: "give Redis a larger maxmemory, or --cache a smaller max-size",
      });
    },

    async remove(digest, call) {
      await script(dropArtifact, [digest], call);
    },
  };

  async function* chunksFrom(key: string, sizeBytes: number, from: number, call: Call): Bytes {
    const count = Math.ceil(sizeBytes / chunkBytes);
    for (let number = Math.floor(from / chunkBytes); number < count; number++) {
      const chunk = await connection.command("GET", [`${key}:${number}`], call);
      if (!Buffer.isBuffer(chunk)) {
        throw new CacheError("UNAVAILABLE", `${name} has dropped a part of an artifact`);
      }
      yield chunk.subarray(Math.max(0, from - number * chunkBytes));
    }
  }
}

const keyOf = (digest: Digest): string => `dewy:artifact:${digest}`;

/** The same bytes in pieces of one size. */
async function* inChunks(bytes: Bytes): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (let piece of bytes) {
    while (size + piece.length >= chunkBytes) {
      const rest = chunkBytes - size;
      yield Buffer.concat([...held, piece.subarray(0, rest)]);
      piece = piece.subarray(rest);
      held = [];
      size = 0;
    }
    if (piece.length > 0) held.push(Buffer.from(piece));
    size += piece.length;
  }
  if (size > 0) yield Buffer.concat(held);
}
