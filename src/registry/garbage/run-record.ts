import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { nothingYet } from "./garbage-event.ts";

export const garbagePath: StoragePath = "/dewy/garbage";
const recordPath: StoragePath = `${garbagePath}/run.json`;
const maximumBytes = 64 * 1024;
const directoryPattern = /^\d{1,15}$/;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const RunRecord = v.strictObject({
  begunMs: Count,
  graceMs: v.pipe(v.number(), v.minValue(0)),
  deleteUntagged: v.boolean(),
  phase: v.picklist(["mark", "sweep"]),
  /** The last repository that was marked, or the last part of the blobs that was swept. */
  after: v.optional(v.string()),
  segments: Count,
  /** The latest that the clock has shown, at the last save. */
  latestMs: v.optional(Count),
  totals: v.strictObject(v.entriesFromList(keysOf(nothingYet), Count)),
});

/**
 * How far a collection has come, so that the next one goes on where it was interrupted. Its marks stay
 * good for as long as that takes: whatever was named since has a time of use after its cutoff.
 */
export type RunRecord = v.InferOutput<typeof RunRecord>;

/** `undefined` when no collection was interrupted, or it cannot be said how far it came. */
export async function readRunRecord(
  storage: StorageDriver,
  { signal }: Call,
): Promise<RunRecord | undefined> {
  const bytes = await storage.readWhole(recordPath, { maximumBytes, signal });
  if (bytes === undefined) return undefined;
  const result = v.safeParse(RunRecord, parsedJson(Buffer.from(bytes).toString()));
  return result.success ? result.output : undefined;
}

export async function writeRunRecord(
  storage: StorageDriver,
  record: RunRecord,
  call: Call,
): Promise<void> {
  await storage.write(recordPath, Buffer.from(JSON.stringify(record)), call);
}

/** Where the marks of a collection are. */
export function marksPath({ begunMs }: { begunMs: number }): StoragePath {
  return `${garbagePath}/${begunMs}`;
}

/** Removes the record, and whatever collections have left beside it. */
export async function clearRunRecord(storage: StorageDriver, call: Call): Promise<void> {
  await storage.discard(recordPath, call);
  for await (const name of storage.list(garbagePath, call)) {
    if (directoryPattern.test(name)) await storage.discard(`${garbagePath}/${name}`, call);
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keysOf<const T extends object>(object: T): Extract<keyof T, string>[] {
  return Object.keys(object) as Extract<keyof T, string>[];
}
