import type { Connection } from "./connection.ts";

/**
 * Lets each side read what the other wrote, until both directions have ended. A side that breaks off
 * breaks the other off too, so that nobody takes half an answer for a whole one.
 *
 * By hand: `pipe` takes a writer that is full for one that waits, although the kernel has taken all of
 * it already, and stops and starts the reader for each chunk.
 */
export function joinConnections(one: Connection, other: Connection): void {
  passOn(one, other);
  passOn(other, one);
  endWith(one, other);
  endWith(other, one);
  breakWith(one, other);
  breakWith(other, one);
  one.resume();
  other.resume();
}

function passOn(from: Connection, to: Connection): void {
  from.on("data", (chunk) => {
    // A socket of `net` says of what the kernel has taken, too, that it waits.
    if (!to.write(chunk) && (to.writableLength > 0 || to.destroyed)) from.pause();
  });
  to.on("drain", () => from.resume());
}

function endWith(from: Connection, to: Connection): void {
  from.on("end", () => {
    // Closing says that it ends too, and is one step less.
    const isOver = to.readableEnded && to.writableLength === 0 && from.writableLength === 0;
    if (!isOver) return void to.end();
    from.destroy();
    to.destroy();
  });
}

function breakWith(one: Connection, other: Connection): void {
  one.on("error", () => breakOff(other));
  one.on("close", (hadError) => {
    if (hadError || other.destroyed) return;
    // What it was written last may still be on its way; and it may be gone for reading alone.
    if (one.readableEnded) return void other.end();
    breakOff(other);
  });
}

/** It still hears what was said to it before. */
function breakOff(connection: Connection): void {
  if (connection.destroyed) return;
  if (connection.writableLength === 0) return void connection.resetAndDestroy();
  connection.on("drain", () => connection.resetAndDestroy());
}
