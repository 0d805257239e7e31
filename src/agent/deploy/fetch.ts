import { rm } from "node:fs/promises";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import type { FetchedFrom } from "../event.ts";
import { type Artifact, type ReleaseRegistry, ReleaseRegistryError } from "../release.ts";
import { VerifyError } from "../verify/verify-error.ts";
import type { ArtifactStore, StoredArtifact } from "./artifact-store.ts";
import { FetchError } from "./fetch-error.ts";
import { openPartialFile, type PartialFile } from "./partial-file.ts";
import type { SharedArtifacts } from "./shared-artifacts.ts";
import { transfer, WriteFailure } from "./transfer.ts";

export { FetchError } from "./fetch-error.ts";

const gib = 1024 ** 3;
const longestRow = 5;
const betweenAttempts: Backoff = { firstMs: 1_000, maximumMs: 15_000 };
/** So much since the last cut, and the cuts before it are forgotten. */
const steadyBytes = 8 * 1024 ** 2;

/** Another host has it in the next rack, or the registry is asked: it is not worth waiting for. */
const sharedSource = { attempts: 2, stallMs: 15_000 };

export interface FetchOptions {
  registry: Pick<ReleaseRegistry, "open">;
  artifact: Artifact;
  store: ArtifactStore;
  clock: Clock;
  logger: Logger;
  /** The most an artifact may have; 2 GiB. */
  maximumBytes?: number;
  /** How long the source may send nothing before it counts as cut; a minute. */
  stallMs?: number;
  /** What other hosts have fetched already. */
  shared?: SharedArtifacts | undefined;
  /** Asked about every file before it is stored, or was found there. @throws {VerifyError} */
  verify?: (file: StoredArtifact, call: Call) => Promise<void>;
}

export interface FetchedArtifact extends StoredArtifact {
  from: FetchedFrom;
}

type Fetching = Required<FetchOptions> & { attempts: number };

/**
 * Brings an artifact into the store, unless it is there, and resolves to where it is. What other hosts
 * share is tried before the registry, and checked like it.
 *
 * What has come is kept when the source is cut, the call aborted or the process killed, and the
 * next time continues from there. Nothing gets its final name before its size and digest are right,
 * it is on disk, and `verify` has passed it.
 *
 * @throws {FetchError}
 * @throws {VerifyError} as `verify` threw it
 * @throws {ReleaseRegistryError} as the registry threw it, for what another attempt does not mend
 */
export async function fetchArtifact(options: FetchOptions, call: Call): Promise<FetchedArtifact> {
  const fetching: Fetching = {
    maximumBytes: 2 * gib,
    stallMs: 60_000,
    shared: undefined,
    verify: async () => {},
    attempts: longestRow,
    ...options,
  };
  const { artifact, store, maximumBytes } = fetching;
  const known = artifact.digest ?? (await store.knownDigest(artifact));
  const stored = known && (await store.find(known, call));
  if (stored) return { ...(await verifiedAgain(stored, fetching, call)), from: "disk" };
  if ((artifact.sizeBytes ?? 0) > maximumBytes) {
    const message = `${artifact.name} has ${artifact.sizeBytes} bytes, more than the ${maximumBytes} that an artifact may have`;
    throw new FetchError("TOO_LARGE", message);
  }
  const shared = await downloadShared(fetching, call);
  if (shared) return { ...shared, from: "cache" };
  const fetched = await download(fetching, call);
  fetching.shared?.offer(artifact, fetched);
  return { ...fetched, from: "registry" };
}

/** It was stored under another policy, or before its signature was replaced. */
async function verifiedAgain(
  stored: StoredArtifact,
  { verify }: Fetching,
  call: Call,
): Promise<StoredArtifact> {
  try {
    await verify(stored, call);
    return stored;
  } catch (error) {
    if (error instanceof VerifyError) await rm(stored.path, { force: true });
    throw error;
  }
}

/** `undefined` when it cannot be had there, for whatever reason: the registry has it in any case. */
async function downloadShared(fetching: Fetching, call: Call): Promise<StoredArtifact | undefined> {
  const { artifact: wanted, shared, store, logger } = fetching;
  if (shared === undefined) return undefined;
  let artifact = wanted;
  try {
    const digest = wanted.digest ?? (await shared.knownDigest(wanted, call));
    if (digest === undefined || !(await shared.has(digest, call))) return undefined;
    // A partial of its own: nothing of it may end up in front of what the registry sends.
    artifact = { ...wanted, digest, identity: `shared ${digest}` };
    const source = { ...fetching, ...sharedSource, artifact, registry: shared };
    const stored = await download(source, call);
    if (!wanted.digest) await store.remember(wanted, digest);
    return stored;
  } catch (error) {
    if (isEchoOf(call.signal, error) || isOwnDisk(error)) throw error;
    // The bytes are those that the registry announces: it has no others.
    if (wanted.digest && error instanceof VerifyError) throw error;
    const fields = { artifact: wanted.name, reason: messageOf(error) };
    logger.warn("A shared artifact is not usable, and the registry is asked", fields);
    await discardShared(artifact, error, fetching, call);
    return undefined;
  }
}

const isOwnDisk = (error: unknown): boolean =>
  error instanceof FetchError && ["DISK_FULL", "UNWRITABLE"].includes(error.code);

/** Also for the others, when it is not what it should be. */
async function discardShared(
  artifact: Artifact,
  error: unknown,
  { shared, store, logger }: Fetching,
  call: Call,
): Promise<void> {
  const isWrong =
    error instanceof VerifyError || (error instanceof FetchError && error.code !== "CUT");
  try {
    await rm(store.partialPath(artifact), { force: true });
    if (isWrong && artifact.digest) await shared?.remove(artifact.digest, call);
  } catch (failure) {
    const reason = messageOf(failure);
    logger.debug("A shared artifact could not be removed", { artifact: artifact.name, reason });
  }
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
    await fetching.verify({ path, digest, sizeBytes: partial.sizeBytes }, call);
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
  const { artifact, attempts, clock, logger } = fetching;
  let failures = 0;
  for (;;) {
    const before = partial.sizeBytes;
    try {
      return await transfer(partial, fetching, call);
    } catch (error) {
      if (call.signal.aborted || !isCut(error)) throw error;
      failures = partial.sizeBytes - before >= steadyBytes ? 1 : failures + 1;
      if (failures === attempts) throw asCut(artifact, attempts, error);
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

function asCut({ name }: Artifact, attempts: number, error: unknown): unknown {
  if (error instanceof FetchError || error instanceof ReleaseRegistryError) return error;
  const message = `${name} was cut ${attempts} times (${messageOf(error)})`;
  return new FetchError("CUT", message, { cause: error });
}

/** What has come is right as far as it goes, and the next attempt continues there. */
function isWorthKeeping(error: unknown, { signal }: Call): boolean {
  if (signal.aborted || error instanceof ReleaseRegistryError) return true;
  if (error instanceof VerifyError) return error.code === "NOT_YET";
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
