import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Ledger, LedgerState } from "../ledger/ledger.ts";
import { ContainerError, type ContainerRuntime } from "./runtime.ts";

const imagesKept = 7;

/**
 * Removes the oldest images of the repository that `reference` is in, beyond seven, by their digests
 * and never by force: one that any container was started from stays, and so does that of the active,
 * the last good and the pinned release.
 */
export async function pruneImages(
  reference: string,
  { runtime, ledger, logger }: { runtime: ContainerRuntime; ledger: Ledger; logger: Logger },
  call: Call,
): Promise<void> {
  const repository = repositoryOf(reference);
  const kept = keptDigests(ledger.state);
  const others = (await runtime.images(repository, call)).filter(
    (image) => !kept.has(digestOf(image.reference)),
  );
  for (const { reference: name } of others.slice(Math.max(0, imagesKept - kept.size))) {
    try {
      await runtime.removeImage(name, call);
      logger.info("Image removed", { image: name });
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error;
      logger.debug("An image is in use, and stays", { image: name, reason: messageOf(error) });
    }
  }
}

/** Of the releases that were in service last, and of those that may be again. */
function keptDigests({ active, lastGood, pinned, releases }: Readonly<LedgerState>): Set<string> {
  const newest = [...releases].sort((a, b) => (a.since < b.since ? 1 : -1)).slice(0, imagesKept);
  const held = releases.filter(({ tag }) => tag === pinned?.tag);
  return new Set([active, lastGood, ...held, ...newest].flatMap((one) => one?.digest ?? []));
}

const repositoryOf = (reference: string): string => reference.slice(0, reference.indexOf("@"));
const digestOf = (reference: string): string => reference.slice(reference.indexOf("@") + 1);
