import { join } from "node:path";
import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { asConfigError, ConfigError, DewyError, messageOf, systemCodeOf } from "../base/errors.ts";
import { openLock } from "../base/lock.ts";
import type { Logger } from "../base/logger.ts";
import { makeDirectory } from "../base/make-directory.ts";
import { openReleases, type Releases, ReleasesError } from "./deploy/releases.ts";
import { type Ledger, openLedger } from "./ledger/ledger.ts";
import { openWorkerRecord, type WorkerRecord } from "./supervisor/worker-record.ts";

/** What one app keeps in its directory. */
export interface Kept {
  releases: Releases;
  record: WorkerRecord;
  ledger: Ledger;
}

/**
 * Runs `work` with what is kept in `directory`, which nobody else looks after meanwhile.
 *
 * @throws {ConfigError} when another agent does, nothing can be kept there, or something is in the way
 */
export async function withKept<Result>(
  directory: string,
  parts: { clock: Clock; logger: Logger },
  call: Call,
  work: (kept: Kept) => Promise<Result>,
): Promise<Result> {
  const lock = await inPlace(directory, call, async () => {
    await makeDirectory(directory); // for a web server to read, unlike .dewy in it
    return await openLock(join(directory, ".dewy", "lock"), directory, call);
  });
  if (!lock.held) parts.logger.warn("The disk is full: going on without a lock", { directory });
  try {
    return await work(await inPlace(directory, call, () => openKept(directory, parts)));
  } finally {
    await lock.close();
  }
}

async function openKept(
  directory: string,
  { logger, clock }: { clock: Clock; logger: Logger },
): Promise<Kept> {
  const keep = join(directory, ".dewy");
  const releases = await openReleases(directory, clock);
  await releases.current();
  return {
    releases,
    record: await openWorkerRecord(join(keep, "workers.json"), logger),
    ledger: await openLedger(join(keep, "ledger.json"), { logger, clock }),
  };
}

/** @throws {ConfigError} when `open` finds that nothing can be kept there, or something is in the way */
export async function inPlace<Opened>(
  directory: string,
  { signal }: Call,
  open: () => Promise<Opened>,
): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ReleasesError) throw asConfigError(error);
    if (error instanceof DewyError || isEchoOf(signal, error)) throw error;
    if (systemCodeOf(error) === undefined) throw error;
    throw new ConfigError(`nothing can be kept in ${directory}: ${messageOf(error)}`, {
      cause: error,
      hint: "make it writable and move out of it what is in the way, or name another by --directory",
    });
  }
}
