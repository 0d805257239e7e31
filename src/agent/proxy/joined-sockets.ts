import type { Socket } from "node:net";

/**
 * Lets each socket read what the other wrote, until both directions have ended. A side that breaks off
 * breaks the other off too, so that nobody takes half an answer for a whole one.
 */
export function joinSockets(client: Socket, upstream: Socket, idleMs: number): void {
  client.pipe(upstream);
  upstream.pipe(client);
  breakWith(client, upstream);
  breakWith(upstream, client);
  for (const socket of [client, upstream]) {
    socket.setTimeout(idleMs, () => {
      client.destroy();
      upstream.destroy();
    });
  }
  client.resume();
}

function breakWith(one: Socket, other: Socket): void {
  one.once("error", () => {
    if (!other.destroyed) other.resetAndDestroy();
  });
  one.once("close", (hadError) => {
    if (hadError || other.destroyed) return;
    // What it was written last may still be on its way; and it may be gone for reading alone.
    if (one.readableEnded) return void other.end();
    other.resetAndDestroy();
  });
}
