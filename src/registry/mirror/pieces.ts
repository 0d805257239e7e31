import type { Bytes } from "../../base/bytes.ts";

const firstBytes = 64 * 1024;
const maximumBytes = 1024 * 1024;

/**
 * Gathers a stream into pieces worth storing, without its first `skip` bytes. The first pieces are
 * small, since somebody waits for them. When the stream breaks off, what was gathered comes first.
 */
export async function* piecesOf(
  source: Bytes,
  { skip }: { skip: number },
): AsyncGenerator<AsyncIterable<Uint8Array>> {
  let left = skip;
  let wanted = firstBytes;
  let gathered: Uint8Array[] = [];
  let size = 0;
  let failure: { error: unknown } | undefined;
  try {
    for await (const whole of source) {
      const chunk = whole.subarray(Math.min(left, whole.length));
      left -= whole.length - chunk.length;
      gathered.push(chunk);
      size += chunk.length;
      if (size < wanted) continue;
      yield each(gathered);
      gathered = [];
      size = 0;
      wanted = Math.min(2 * wanted, maximumBytes);
    }
  } catch (error) {
    failure = { error };
  }
  if (size > 0) yield each(gathered);
  if (failure !== undefined) throw failure.error;
}

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
