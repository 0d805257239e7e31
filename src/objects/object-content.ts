import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Bytes } from "../base/bytes.ts";
import { DewyError } from "../base/errors.ts";
import { algorithmOf, type Digest, digestOf, endDigest } from "../oci/digest.ts";

/**
 * What an object is to hold. A stream is read once, and only when the store takes it; whatever comes
 * of it, it is let go of in the end.
 */
export type ObjectContent = Uint8Array | ObjectStream;

export interface ObjectStream {
  bytes: Bytes;
  sizeBytes: number;
  /** Kept with the object for whoever reads it, where it is known. */
  digest?: Digest | undefined;
}

/** The content itself is at fault, not the store: nothing was stored. */
export class ObjectContentError extends DewyError<"MISMATCH" | "TOO_LARGE"> {}

export function sizeOf(content: ObjectContent): number {
  return content instanceof Uint8Array ? content.length : content.sizeBytes;
}

/** `undefined` for a stream of which nobody has said it. */
export function digestOfContent(content: ObjectContent): Digest | undefined {
  return content instanceof Uint8Array ? digestOf(content) : content.digest;
}

/**
 * Lets `send` store `content`, and fails as a stream did where it was the stream that failed, rather
 * than as the connection that broke under it.
 *
 * @throws {ObjectContentError} `MISMATCH` before the last byte of what is not as long, or not of the
 *   digest, as was promised: so that no store keeps it.
 */
export async function sendContent<Result>(
  key: string,
  content: ObjectContent,
  send: (body: Uint8Array | Bytes) => Promise<Result>,
): Promise<Result> {
  if (content instanceof Uint8Array) return send(content);
  let failure: { error: unknown } | undefined;
  async function* watched() {
    try {
      yield* promised(key, content as ObjectStream);
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  try {
    return await send(watched());
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  } finally {
    if (content.bytes instanceof Readable) content.bytes.destroy();
  }
}

async function* promised(
  key: string,
  { bytes, sizeBytes, digest }: ObjectStream,
): AsyncGenerator<Uint8Array> {
  const hash = digest && createHash(algorithmOf(digest));
  let size = 0;
  const checkWhole = () => {
    if (size !== sizeBytes) throw mismatch(key, `${size} bytes instead of ${sizeBytes}`);
    if (!digest || !hash) return;
    const found = endDigest(algorithmOf(digest), hash.copy());
    if (found !== digest) throw mismatch(key, `${found} instead of ${digest}`);
  };
  for await (const chunk of bytes) {
    size += chunk.length;
    hash?.update(chunk);
    if (size >= sizeBytes) checkWhole();
    yield chunk;
  }
  checkWhole();
}

function mismatch(key: string, how: string): ObjectContentError {
  return new ObjectContentError("MISMATCH", `what was to be stored as ${key} is not it: ${how}`, {
    hint: "look at what it is read from: it has changed, or was damaged",
  });
}
