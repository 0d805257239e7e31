import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import { type Artifact, type ReleaseRegistry, ReleaseRegistryError } from "../release.ts";
import type { ArtifactStore, StoredArtifact } from "./artifact-store.ts";
import { FetchError } from "./fetch-error.ts";
import { openPartialFile, type PartialFile } from "./partial-file.ts";
import { transfer, WriteFailure } from "./transfer.ts";

export { FetchError } from "./fetch-error.ts";

const gib = 1024 ** 3;
const attempts = 5;
const betweenAttempts: Backoff = { firstMs: 1_000, maximumMs: 15_000 };
/** So much since the last cut, and the cuts before it are forgotten. */
const steadyBytes = 8 * 1024 ** 2;

export interface FetchOptions {
  registry: ReleaseRegistry;
  artifact: Artifact;
  store: ArtifactStore;
  clock: Clock;
  logger: Logger;
  /** The most an artifact may have; 2 GiB. */
  maximumBytes?: number;
  /** How long the source may send nothing before it counts as cut; a minute. */
  stallMs?: number;
}

type Fetching = Required<FetchOptions>;

/**
 * Brings an artifact into the store, unless it is there, and resolves to where it is.
 *
 * What has come is kept when the source is cut, the call aborted or the process killed, and the
 * next time continues from there. Nothing gets its final name before its size and digest are right
 * and it is on disk.
 *
 * @throws {FetchError}
 * @throws {ReleaseRegistryError} as the registry threw it, for what another attempt does not mend
 */
export async function fetchArtifact(options: FetchOptions, call: Call): Promise<StoredArtifact> {
  const fetching: Fetching = {
    maximumBytes: 2 * gib,
    stallMs: 60_000,
    ...options,
  };
  const { artifact, store, maximumBytes } = fetching;
  const known = artifact.digest ?? (await store.knownDigest(artifact));
  const stored = known && (await store.find(known, call));
  if (stored) return stored;
  if ((artifact.sizeBytes ?? 0) > maximumBytes) {
    const message = `${artifact.name} has ${artifact.sizeBytes} bytes, more than the ${maximumBytes} that an artifact may have`;
    throw new FetchError("TOO_LARGE", message);
  }
  return await download(fetching, call);
}

async function download(fetching: Fetching, call: Call): Promise<StoredArtifact> {
  const { artifact, store } = fetching;
  const path = store.partialPath(artifact);
  const algorithm = artifact.digest ? algorithmOf(artifact.digest) : "sha256";
  const trusted = artifact.digest !== undefined;
  const partial = await openPartialFile(path, { algorithm, trusted }, call).catch((error) =>
    explain(error, fetching),
  );
  try {
    await complete(partial, fetching, call);
    await partial.sync();
    const digest = partial.digest();
    const published = await store.publish(path, digest);
    if (!artifact.digest) await store.remember(artifact, digest);
    return { path: published, digest, sizeBytes: partial.sizeBytes };
  } catch (error) {
    if (!isWorthKeeping(error, call)) await partial.remove();
    return explain(error, fetching);
  } finally {
    await partial.close();
  }
}

/** Until `partial` holds the bytes that were promised. */
async function complete(partial: PartialFile, fetching: Fetching, call: Call): Promise<void> {
  const { artifact, logger } = fetching;
  const total = artifact.sizeBytes;
  if (total !== undefined && partial.sizeBytes > total) await partial.reset();
  const inherited = partial.sizeBytes;
  if (inherited > 0) {
    logger.info("Artifact download continues", { artifact: artifact.name, fromByte: inherited });
  }
  if (inherited === 0 || inherited !== total) await transferWithRetries(partial, fetching, call);
  const { digest } = artifact;
  if (!digest || partial.digest() === digest) return;
  if (inherited === 0) throw mismatch(artifact, digest, partial.digest());
  logger.warn("What was left of a download is not what was promised", { artifact: artifact.name });
  await partial.reset();
  await complete(partial, fetching, call);
}

async function transferWithRetries(
  partial: PartialFile,
  fetching: Fetching,
  call: Call,
): Promise<void> {
  const { artifact, clock, logger } = fetching;
  let failures = 0;
  for (;;) {
    const before = partial.sizeBytes;
    try {
      return await transfer(partial, fetching, call);
    } catch (error) {
      if (call.signal.aborted || !isCut(error)) throw error;
      failures = partial.sizeBytes - before >= steadyBytes ? 1 : failures + 1;
      if (failures === attempts) throw asCut(artifact, error);
      const pauseMs = backoffMs(betweenAttempts, failures);
      const reason = messageOf(error);
      logger.warn("Artifact download was cut", { artifact: artifact.name, failures, reason });
      await clock.sleep(pauseMs, call);
    }
  }
}

/** Whether another attempt may help. */
function isCut(error: unknown): boolean {
  if (error instanceof WriteFailure) return false;
  if (error instanceof ReleaseRegistryError) return error.code === "UNAVAILABLE";
  return !(error instanceof FetchError) || ["CUT", "TRUNCATED"].includes(error.code);
}

function asCut({ name }: Artifact, error: unknown): unknown {
  if (error instanceof FetchError || error instanceof ReleaseRegistryError) return error;
  const message = `${name} was cut ${attempts} times (${messageOf(error)})`;
  return new FetchError("CUT", message, { cause: error });
}

/** What has come is right as far as it goes, and the next attempt continues there. */
function isWorthKeeping(error: unknown, { signal }: Call): boolean {
  if (signal.aborted || error instanceof ReleaseRegistryError) return true;
  return error instanceof FetchError && error.code === "CUT";
}

function mismatch({ name }: Artifact, expected: Digest, received: Digest): FetchError {
  return new FetchError("DIGEST_MISMATCH", `${name}: expected ${expected}, received ${received}`, {
    hint: "find out who changed the artifact; release it again under a new tag if it was you",
  });
}

/** Throws `error` in words: what the system refused is no bug of ours. */
function explain(error: unknown, { artifact, store }: Fetching): never {
  const cause = error instanceof WriteFailure ? error.cause : error;
  const code = cause instanceof DewyError ? undefined : systemCodeOf(cause);
  if (code === undefined || code === "ABORT_ERR") throw cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `no space left for ${artifact.name} in ${store.directory}`;
    throw new FetchError("DISK_FULL", message, { cause, hint: "free some space there" });
  }
  const message = `${artifact.name} could not be stored in ${store.directory} (${messageOf(cause)})`;
  throw new FetchError("UNWRITABLE", message, { cause });
}
