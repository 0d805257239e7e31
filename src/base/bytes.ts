import { DewyError } from "./errors.ts";

/** A stream of bytes, read once, with back-pressure. The one form bytes travel in. */
export type Bytes = AsyncIterable<Uint8Array>;

export class BytesError extends DewyError<"TOO_LARGE"> {}

/** Passes `source` on and fails as soon as it is longer than `maximumBytes`. */
export async function* limited(source: Bytes, maximumBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maximumBytes) {
      throw new BytesError("TOO_LARGE", `more than the ${maximumBytes} bytes allowed`);
    }
    yield chunk;
  }
}

/** Collects a stream that is known to be small. @throws {BytesError} `TOO_LARGE` */
export async function collect(source: Bytes, maximumBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(source, maximumBytes)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `bytes` as a stream of one chunk. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * The bytes of a stream of at most `maximumBytes`. Of any other one, and of one that fails, `rest` is
 * all of it, with what came before the failure.
 */
export async function firstBytesOf(
  source: Bytes,
  maximumBytes: number,
): Promise<{ bytes: Uint8Array; rest?: never } | { bytes?: never; rest: Bytes }> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      first.push(next.value);
      size += next.value.length;
      if (size > maximumBytes) return { rest: joined(first, iterator) };
    }
  } catch (error) {
    return { rest: joined(first, { next: () => Promise.reject(error) }) };
  }
  return { bytes: Buffer.concat(first) };
}

async function* joined(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
