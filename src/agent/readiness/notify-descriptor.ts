import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Call } from "../../base/call.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { openOwnPipe } from "../output/pipes.ts";
import type { Notification } from "./notification.ts";

/**
 * The protocol of s6: ready is who has written a newline to the descriptor, whatever stands before it.
 *
 * The app's end is open for reading as well: an app that speaks when the agent has gone is not ended
 * by SIGPIPE.
 */
export async function openDescriptorNotification(
  directory: string,
  number: number,
  call: Call,
): Promise<Notification> {
  await makeDirectory(directory, 0o700);
  const { read, both } = await openOwnPipe(directory, "ready", call);
  const socket = new Socket({ fd: read, readable: true, writable: false });
  socket.unref();
  let isReady = false;
  let isGiven = false;
  socket.on("error", () => {}); // then nothing is ever read, and the app is not ready
  socket.on("data", (bytes: Buffer) => {
    if (!bytes.includes("\n")) return;
    isReady = true;
    socket.destroy();
  });
  return {
    get isReady() {
      return isReady;
    },
    missing: `has written no line to descriptor ${number}`,
    variables: {},
    inherited: { number, fd: both },
    given() {
      if (!isGiven) closeSync(both);
      isGiven = true;
    },
    close: () => void socket.destroy(),
  };
}
