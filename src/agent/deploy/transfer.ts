import { type Call, isEchoOf, orAborted, TimeoutError } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Artifact, ReleaseRegistry } from "../release.ts";
import { FetchError } from "./fetch-error.ts";
import type { PartialFile } from "./partial-file.ts";

export interface TransferOptions {
  registry: Pick<ReleaseRegistry, "open">;
  artifact: Artifact;
  maximumBytes: number;
  /** How long the source may take for the next 16 KiB, or for all that is left of the artifact. */
  stallMs: number;
}

/** A byte now and then is no progress: a source that drips must not hold up newer releases. */
const leastBytes = 16 * 1024;

/**
 * Appends to `partial` what it lacks. Ends when the source has ended with everything it promised.
 *
 * @throws {FetchError} `TRUNCATED` or `TOO_LARGE`; whatever the source throws when it is cut; the
 * system's errors from writing, as {@link WriteFailure}
 */
export async function transfer(
  partial: PartialFile,
  options: TransferOptions,
  call: Call,
): Promise<void> {
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), options.stallMs);
  const signal = AbortSignal.any([call.signal, stall.signal]);
  try {
    await receive(partial, options, signal, () => timer.refresh());
  } catch (error) {
    if (!stall.signal.aborted || call.signal.aborted) throw error;
    if (!isEchoOf(signal, error)) throw error;
    const seconds = options.stallMs / 1000;
    const message = `next to nothing came for ${seconds} s`;
    throw new TimeoutError("TIMEOUT", message, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function receive(
  partial: PartialFile,
  { registry, artifact, maximumBytes }: TransferOptions,
  signal: AbortSignal,
  onSignOfLife: () => void,
): Promise<void> {
  const opening = registry.open(artifact, { signal, from: partial.sizeBytes });
  const { bytes, from } = await orAborted(opening, signal);
  if (from !== partial.sizeBytes) await partial.reset();
  if (from !== partial.sizeBytes) throw new FetchError("CUT", `the source began at byte ${from}`);
  const limit = Math.min(maximumBytes, artifact.sizeBytes ?? maximumBytes);
  const source = bytes[Symbol.asyncIterator]();
  let newBytes = 0;
  try {
    for (;;) {
      const { done, value } = await orAborted(source.next(), signal);
      if (done) break;
      newBytes += value.length;
      if (newBytes >= leastBytes) {
        newBytes = 0;
        onSignOfLife();
      }
      if (partial.sizeBytes + value.length > limit) throw tooLarge(artifact, limit);
      await partial.append(value).catch(failToWrite);
    }
  } finally {
    // Not awaited: a source that hangs would keep us here.
    source.return?.().catch(() => {});
  }
  checkLength(partial, artifact);
}

function checkLength(partial: PartialFile, { name, sizeBytes }: Artifact): void {
  if (sizeBytes === undefined || partial.sizeBytes === sizeBytes) return;
  const sizes = `${partial.sizeBytes} of ${sizeBytes} bytes`;
  throw new FetchError("TRUNCATED", `${name} ended after ${sizes}`);
}

function tooLarge({ name, sizeBytes }: Artifact, limit: number): FetchError {
  const reason = limit === sizeBytes ? "announced for it" : "that an artifact may have";
  return new FetchError("TOO_LARGE", `${name} is longer than the ${limit} bytes ${reason}`);
}

/** A failure of our own disk, which no other attempt at the source will mend. */
export class WriteFailure extends Error {}

function failToWrite(cause: unknown): never {
  throw new WriteFailure(messageOf(cause), { cause });
}
