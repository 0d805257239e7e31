import type { Socket } from "node:net";

/**
 * Lets each socket read what the other wrote, until both directions have ended. A side that breaks off
 * breaks the other off too, so that nobody takes half an answer for a whole one.
 *
 * By hand: `pipe` takes a writer that is full for one that waits, although the kernel has taken all of
 * it already, and stops and starts the reader for each chunk.
 */
export function joinSockets(client: Socket, upstream: Socket): void {
  carry(client, upstream);
  carry(upstream, client);
  breakWith(client, upstream);
  breakWith(upstream, client);
  client.resume();
}

function carry(from: Socket, to: Socket): void {
  from.on("data", (chunk) => {
    if (to.write(chunk) || to.writableLength === 0) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("end", () => to.end());
}

function breakWith(one: Socket, other: Socket): void {
  one.on("error", () => {
    if (!other.destroyed) other.resetAndDestroy();
  });
  one.on("close", (hadError) => {
    if (hadError || other.destroyed) return;
    // What it was written last may still be on its way; and it may be gone for reading alone.
    if (one.readableEnded) return void other.end();
    other.resetAndDestroy();
  });
}
