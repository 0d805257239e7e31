import { connect, type Socket } from "node:net";
import type { Backend } from "./data-plane.ts";
import type { ReadBuffers } from "./read-buffers.ts";

/**
 * Connects to a backend. What it says is written to `client` from then on; the rest is for
 * `joinSockets`, once it has accepted.
 */
export function openUpstream(backend: Backend, client: Socket, buffers: ReadBuffers): Socket {
  const { host, port } = backend;
  let buffer = buffers.shared;
  const onread = { buffer: () => buffer, callback };
  const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true, onread });
  upstream.on("close", () => {
    if (buffer === buffers.shared) return;
    if (client.writableLength === 0) buffers.giveBack(buffer);
    else buffers.forget();
  });
  return upstream;

  function callback(count: number): boolean {
    const isShared = buffer === buffers.shared;
    const isFull = count === buffer.length;
    const part = buffer.subarray(0, count);
    // A writer calls one that is smaller taken, although the kernel may not have all of it yet.
    const isCopied = isShared || count < client.writableHighWaterMark;
    const isTaken = isTakenBy(client, isCopied ? Buffer.from(part) : part);
    if (isShared && isFull) buffer = buffers.borrow() ?? buffer;
    if (!isShared && !isFull && isTaken) {
      buffers.giveBack(buffer);
      buffer = buffers.shared;
    }
    if (!isTaken) client.once("drain", () => upstream.resume());
    return isTaken;
  }
}

/**
 * Lets each socket read what the other wrote, until both directions have ended. A side that breaks off
 * breaks the other off too, so that nobody takes half an answer for a whole one.
 *
 * By hand: `pipe` takes a writer that is full for one that waits, although the kernel has taken all of
 * it already, and stops and starts the reader for each chunk.
 */
export function joinSockets(client: Socket, upstream: Socket): void {
  client.on("data", (chunk) => {
    if (isTakenBy(upstream, chunk)) return;
    client.pause();
    upstream.once("drain", () => client.resume());
  });
  endWith(client, upstream);
  endWith(upstream, client);
  breakWith(client, upstream);
  breakWith(upstream, client);
  client.resume();
}

/** Writes it. @returns whether more may be: it is said of what the kernel has taken, too, that it waits */
function isTakenBy(to: Socket, chunk: Buffer): boolean {
  return to.write(chunk) || to.writableLength === 0;
}

function endWith(from: Socket, to: Socket): void {
  from.on("end", () => {
    // Closing says that it ends too, and is one step less.
    const isOver = to.readableEnded && to.writableLength === 0 && from.writableLength === 0;
    if (!isOver) return void to.end();
    from.destroy();
    to.destroy();
  });
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
