import type { Call } from "../../base/call.ts";
import { algorithmOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { RunningHash } from "../images/upload-sessions.ts";
import type { Wanted } from "./download.ts";

/**
 * A blob past the cache, for when that has no room. What is read is checked as well: the last piece
 * only comes when the whole has the right digest.
 */
export async function* readDirectly(
  { place, digest }: Wanted,
  { from, to }: { from: number; to: number },
  call: Call,
): AsyncGenerator<Uint8Array> {
  const hash = new RunningHash(algorithmOf(digest));
  const { bytes } = await place.upstream.ask(call, (client) =>
    client.openBlob(place.remote, digest, { ...call, from: 0 }),
  );
  let held: Uint8Array | undefined;
  let position = 0;
  for await (const chunk of hash.through(bytes)) {
    const start = Math.max(from - position, 0);
    const part = chunk.subarray(Math.min(start, chunk.length), Math.max(to - position, 0));
    position += chunk.length;
    if (part.length === 0) continue;
    if (held !== undefined) yield held;
    held = part;
  }
  if (hash.digest() !== digest) {
    const why = `${place.upstream.name} gives other bytes than it should`;
    throw new OciError("UNAVAILABLE", why, { status: 502 });
  }
  if (held !== undefined) yield held;
}
