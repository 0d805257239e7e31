import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { identityOf } from "../../base/process-identity.ts";
import type { TrashRoom } from "../images/trash.ts";
import { isFull, type StorageDriver, type StoragePath } from "../storage-driver.ts";
import { GarbageError } from "./garbage-error.ts";
import { notesAside } from "./notes-aside.ts";
import { garbagePath } from "./run-record.ts";

const lockPath: StoragePath = `${garbagePath}/lock`;
/** Room for the next collection, should the disk be full by then. */
const reservePath: StoragePath = `${garbagePath}/reserve`;
const reserveBytes = 256 * 1024;
const heartbeatMs = 15_000;
const staleMs = 60_000;
/** More than the clocks of two hosts differ: a heartbeat from then was told by a wrong clock. */
const mostAheadMs = 3_600_000;
const maximumBytes = 4096;

const Holder = v.object({
  token: v.string(),
  host: v.string(),
  pid: v.number(),
  identity: v.optional(v.string()),
});
type Holder = v.InferOutput<typeof Holder>;

/**
 * Lets one collection at a time work on a storage, of all processes. Two that began in the same
 * instant would only do some work twice: what keeps blobs safe are leases, not this lock. `work` gets
 * a storage that has room for notes though the disk is full, and is told whether it is.
 *
 * @throws {GarbageError} `BUSY`
 */
export async function withRunLock<Result>(
  storage: StorageDriver,
  clock: Clock,
  call: Call,
  work: (storage: StorageDriver, room: TrashRoom) => Promise<Result>,
): Promise<Result> {
  const other = await holderOf(storage, clock, call);
  if (other !== undefined) throw busy(other);
  const pid = process.pid;
  const identity = await identityOf(pid);
  const own: Holder = {
    ...{ token: randomUUID(), host: hostname(), pid },
    ...(identity === undefined ? {} : { identity }),
  };
  const room: TrashRoom = { isShort: false };
  const noted = await notesAside(storage, { clock, room });
  const lock = Buffer.from(JSON.stringify(own));
  if (await isShortOfRoom(() => storage.write(lockPath, lock, call))) {
    room.isShort = true;
    await storage.discard(reservePath, call);
    await noted.write(lockPath, lock, call);
  } else room.isShort = await isShortOfRoom(() => keepReserve(storage, call));
  const stop = new AbortController();
  const beating = beat(storage, clock, stop.signal);
  try {
    return await work(noted, room);
  } finally {
    stop.abort();
    await beating;
    const { signal } = new AbortController(); // also when the call was aborted
    const holder = await readHolder(noted, { signal });
    if (holder?.token === own.token) await noted.discard(lockPath, { signal });
    await writeReserve(storage, { signal }).catch(() => {});
  }
}

/**
 * Sees to it, while there is room, that the first collection of all has some as well.
 *
 * @throws {StorageError}
 */
export async function keepReserve(storage: StorageDriver, call: Call): Promise<void> {
  if ((await storage.stat(reservePath, call)) === undefined) await writeReserve(storage, call);
}

async function writeReserve(storage: StorageDriver, call: Call): Promise<void> {
  await storage.write(reservePath, Buffer.alloc(reserveBytes), call);
}

/** A full disk is what collections are for; but each needs a little room for its own notes. */
async function isShortOfRoom(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return false;
  } catch (error) {
    if (isFull(error)) return true;
    throw error;
  }
}

async function beat(storage: StorageDriver, clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(heartbeatMs, { signal });
      await storage.touch([lockPath], { signal });
    }
  } catch {
    // Without it others may begin, which costs work and nothing else.
  }
}

async function holderOf(
  storage: StorageDriver,
  clock: Clock,
  call: Call,
): Promise<Holder | undefined> {
  const file = await storage.stat(lockPath, call);
  const holder = file && (await readHolder(storage, call));
  if (!file || !holder) return undefined;
  if (holder.host === hostname()) {
    const identity = await identityOf(holder.pid);
    return identity !== undefined && identity === holder.identity ? holder : undefined;
  }
  const silentMs = clock.now().getTime() - file.modified.getTime();
  const isAlive = silentMs < staleMs && silentMs > -mostAheadMs;
  return isAlive ? holder : undefined;
}

async function readHolder(storage: StorageDriver, { signal }: Call): Promise<Holder | undefined> {
  const bytes = await storage.readWhole(lockPath, { maximumBytes, signal });
  if (bytes === undefined) return undefined;
  try {
    const result = v.safeParse(Holder, JSON.parse(Buffer.from(bytes).toString()));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

function busy({ host, pid }: Holder): GarbageError {
  return new GarbageError("BUSY", `process ${pid} on ${host} is collecting already`, {
    hint: "wait until it has ended; a collection that was killed does not count",
  });
}
