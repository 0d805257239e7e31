import { type Connection, isGone } from "./connection.ts";

/**
 * Lets each side read what the other wrote, until both directions have ended. A side that breaks off
 * breaks the other off too, so that nobody takes half an answer for a whole one.
 *
 * By hand: `pipe` takes a writer that is full for one that waits, although the kernel has taken all of
 * it already, and stops and starts the reader for each chunk.
 */
export function joinConnections(client: Connection, upstream: Connection): void {
  passOn(client, upstream);
  passOn(upstream, client);
  endWith(client, upstream);
  endWith(upstream, client);
  // A backend that hears nothing until somebody reads its answer would wait for ever.
  breakWith(client, upstream, () => upstream.resetAndDestroy());
  breakWith(upstream, client, () => breakClientOff(client, upstream));
  client.resume();
  upstream.resume();
}

/**
 * Lets go of a pair of which one has gone unheard: nothing tells that of a connection which is not read,
 * as it has ended, or waits until the other has taken what it said.
 */
export function partUnheard(client: Connection, upstream: Connection): void {
  if (client.destroyed || upstream.destroyed) return;
  // What a backend has said that is paused is still its client's to take.
  if (upstream.readableEnded && isGone(upstream)) upstream.destroy();
  // A client that was told the end may have gone well, and what it said be still on its way.
  const isUnread = client.readableEnded || client.isPaused();
  if (isUnread && !upstream.readableEnded && isGone(client)) client.destroy();
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

function breakWith(one: Connection, other: Connection, breakOff: () => void): void {
  one.on("error", breakOff);
  one.on("close", (hadError) => {
    if (hadError || other.destroyed) return;
    // What it was written last may still be on its way.
    if (one.readableEnded && other.readableEnded) return void other.end();
    breakOff();
  });
}

/** It still hears what was said to it before, and that this was all if it was. */
function breakClientOff(client: Connection, upstream: Connection): void {
  const leave = () => {
    if (upstream.readableEnded) client.destroy();
    else client.resetAndDestroy();
  };
  if (client.destroyed) return;
  if (client.writableLength === 0) leave();
  else client.on("drain", leave);
}
