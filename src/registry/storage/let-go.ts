import { MessageChannel, type MessagePort } from "node:worker_threads";

const leastBytes = 16 * 1024;

/** What is passed to a port is its sender's no more, and nobody's where that is closed. */
const nobody = closedPort();

/**
 * Frees the memory of `chunks` once `work` has ended. Otherwise that is for the collector, which the
 * bodies of large requests would start for every few megabytes, over all that the process has.
 */
export async function letGoAfter(
  work: Promise<void>,
  chunks: readonly Uint8Array[],
): Promise<void> {
  try {
    await work;
  } finally {
    const whole = chunks.filter(isWhole).map(({ buffer }) => buffer as ArrayBuffer);
    if (whole.length > 0) nobody.postMessage(undefined, whole);
  }
}

/** What is a part of something larger, others have a part of as well. */
function isWhole({ length, buffer }: Uint8Array): boolean {
  return length >= leastBytes && length === buffer.byteLength;
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.close();
  return port1;
}
