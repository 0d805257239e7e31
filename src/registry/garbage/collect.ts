import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { isDigestAlgorithm } from "../../oci/digest.ts";
import { catalogOn } from "../images/catalog.ts";
import { imageStoreOn } from "../images/image-store.ts";
import { blobsPath } from "../images/paths.ts";
import { type Trash, type TrashRoom, type TrashRun, trashOn } from "../images/trash.ts";
import { openStorage } from "../storage/index.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type BlobShelf, sweepShelf } from "./blob-sweep.ts";
import { ClockGuard } from "./clock-guard.ts";
import { GarbageError } from "./garbage-error.ts";
import {
  countGarbage,
  type GarbageEvent,
  type GarbageTotals,
  nothingYet,
} from "./garbage-event.ts";
import { Marks } from "./marks.ts";
import { surveyRepository } from "./repository-survey.ts";
import { withRunLock } from "./run-lock.ts";
import {
  clearRunRecord,
  marksPath,
  type RunRecord,
  readRunRecord,
  writeRunRecord,
} from "./run-record.ts";
import { tidyRecords } from "./tidy-records.ts";
import { isWrong } from "./wrong-times.ts";

export interface CollectOptions {
  /** How long what nothing names stays after its last use. */
  graceMs: number;
  /** How long what was taken can be brought back. */
  trashMs: number;
  deleteUntagged: boolean;
  /** Changes nothing, and says what would be. */
  dryRun: boolean;
  report(event: GarbageEvent): void;
  clock: Clock;
}

/** Few, as pushes wait for the same disk, and in the serving process for the same threads. */
const parallel = 2;
const checkpointMs = 2_000;
const longestBreakMs = 86_400_000;

/**
 * Takes away what no manifest names, while others push and pull, in this process or in others. Goes
 * on where an earlier collection with the same options was interrupted.
 *
 * @throws {GarbageError} `BUSY`; `MARKS_LOST`, `CLOCK_SET_BACK`, and then the next collection begins
 *   anew
 * @throws {StorageError} when the storage fails; the next collection goes on from there
 */
export async function collectGarbage(
  storage: StorageDriver,
  options: CollectOptions,
  call: Call,
): Promise<GarbageTotals> {
  if (options.dryRun) return new Collection(storage, options).preview(call);
  return withRunLock(storage, options.clock, call, (noted, room) =>
    new Collection(noted, options, room).run(call),
  );
}

/** What one collection goes by. */
interface Way {
  marks: Marks;
  guard: ClockGuard;
}

class Collection {
  readonly #storage: StorageDriver;
  readonly #options: CollectOptions;
  readonly #trash: Trash;
  #totals: GarbageTotals = { ...nothingYet };
  #savedMs = 0;

  constructor(storage: StorageDriver, options: CollectOptions, room?: TrashRoom) {
    this.#storage = storage;
    this.#options = options;
    this.#trash = trashOn(storage, room);
  }

  async run(call: Call): Promise<GarbageTotals> {
    const record = await this.#begin(call);
    const marks = new Marks(this.#storage, marksPath(record), record.segments);
    const guard = this.#guard(record);
    try {
      if (record.phase === "mark") await this.#mark(record, { marks, guard }, call);
      await this.#sweep(record, { marks, guard }, call);
    } catch (error) {
      if (isHopeless(error)) await clearRunRecord(this.#storage, call);
      throw error;
    }
    await clearRunRecord(this.#storage, call);
    await this.#emptyTrash(record, call);
    await tidyRecords(this.#storage, { nowMs: this.#options.clock.now().getTime(), ...call });
    return this.#totals;
  }

  /** Marks are kept apart, so that a storage that cannot be written to can be looked at. */
  async preview(call: Call): Promise<GarbageTotals> {
    const record = this.#newRecord();
    const { clock } = this.#options;
    const aside = await openStorage({ driver: "inmemory" }, { access: "write", clock });
    const marks = new Marks(aside, marksPath(record), 0);
    this.#options.report({ is: "begun", continued: false, begun: new Date(record.begunMs) });
    const guard = this.#guard(record);
    await this.#mark(record, { marks, guard }, call);
    await this.#sweep(record, { marks, guard }, call);
    return this.#totals;
  }

  async #begin(call: Call): Promise<RunRecord> {
    const earlier = await readRunRecord(this.#storage, call);
    const isGoingOn = earlier !== undefined && this.#isSame(earlier);
    const record = isGoingOn ? earlier : this.#newRecord();
    this.#totals = { ...record.totals };
    if (earlier !== undefined) await this.#reviewTrash(runOf(earlier), call);
    if (!isGoingOn) await clearRunRecord(this.#storage, call);
    const begun = new Date(record.begunMs);
    this.#options.report({ is: "begun", continued: isGoingOn, begun });
    await writeRunRecord(this.#storage, record, call);
    return record;
  }

  #newRecord(): RunRecord {
    const { clock, graceMs, deleteUntagged } = this.#options;
    const begunMs = clock.now().getTime();
    const totals = { ...nothingYet };
    return { begunMs, graceMs, deleteUntagged, phase: "mark", segments: 0, totals };
  }

  #isSame({ begunMs, graceMs, deleteUntagged }: RunRecord): boolean {
    const { clock, ...wanted } = this.#options;
    const ageMs = clock.now().getTime() - begunMs;
    if (ageMs < 0 || ageMs > longestBreakMs) return false;
    return graceMs === wanted.graceMs && deleteUntagged === wanted.deleteUntagged;
  }

  /** Killed between taking a file and looking whether it may: here it is looked. */
  async #reviewTrash(run: TrashRun, call: Call): Promise<void> {
    for await (const path of this.#trash.files(run, call)) {
      if (await this.#trash.review(path, run, call)) this.#tell({ is: "restored", path });
    }
  }

  #guard(record: RunRecord): ClockGuard {
    const { begunMs, latestMs = begunMs } = record;
    return new ClockGuard(this.#options.clock, { run: runOf(record), latestMs });
  }

  async #mark(record: RunRecord, { marks, guard }: Way, call: Call): Promise<void> {
    const run = runOf(record);
    const tell = (event: GarbageEvent) => this.#tell(event);
    const parts = {
      ...{ storage: this.#storage, trash: this.#trash, run, marks, parallel, tell },
      ...{ cutoffMs: run.cutoffMs, graceMs: record.graceMs, clock: guard },
      images: imageStoreOn(this.#storage, { clock: this.#options.clock, validation: undefined }),
      ...{ deleteUntagged: record.deleteUntagged, dryRun: this.#options.dryRun },
    };
    for await (const repository of catalogOn(this.#storage).walk(record.after, call)) {
      call.signal.throwIfAborted();
      guard.check();
      await surveyRepository(repository, parts, call);
      record.after = repository;
      if (this.#isCheckpointDue()) await this.#save(record, { marks, guard }, call);
    }
    record.phase = "sweep";
    record.after = undefined;
    await this.#save(record, { marks, guard }, call);
  }

  async #sweep(record: RunRecord, { marks, guard }: Way, call: Call): Promise<void> {
    const parts = {
      ...{ storage: this.#storage, trash: this.#trash, run: runOf(record), marks, parallel },
      ...{ dryRun: this.#options.dryRun, clock: guard },
      tell: (event: GarbageEvent) => this.#tell(event),
      freed: (bytes: number) => {
        this.#totals.bytes += bytes;
      },
    };
    for (const shelf of await this.#shelves(call)) {
      const name = `${shelf.algorithm}/${shelf.prefix}`;
      if (record.after !== undefined && name <= record.after) continue;
      call.signal.throwIfAborted();
      guard.check();
      await sweepShelf(shelf, parts, call);
      record.after = name;
      if (this.#isCheckpointDue()) await this.#save(record, { marks, guard }, call);
    }
  }

  async #shelves(call: Call): Promise<BlobShelf[]> {
    const shelves: BlobShelf[] = [];
    for (const algorithm of ["sha256", "sha512"].filter(isDigestAlgorithm)) {
      const prefixes: string[] = [];
      for await (const prefix of this.#storage.list(blobsPath(algorithm), call)) {
        if (/^[0-9a-f]{2}$/.test(prefix)) prefixes.push(prefix);
      }
      shelves.push(...prefixes.sort().map((prefix) => ({ algorithm, prefix })));
    }
    return shelves;
  }

  #isCheckpointDue(): boolean {
    const nowMs = this.#options.clock.now().getTime();
    if (Math.abs(nowMs - this.#savedMs) < checkpointMs) return false;
    this.#savedMs = nowMs;
    return true;
  }

  /** First the marks, then the record that says that they are there. */
  async #save(record: RunRecord, { marks, guard }: Way, call: Call): Promise<void> {
    record.segments = await marks.save(call);
    record.totals = this.#totals;
    record.latestMs = guard.latestMs;
    if (!this.#options.dryRun) await writeRunRecord(this.#storage, record, call);
  }

  /**
   * What this collection took is left for the next, which may find that it has got a tag; unless the
   * disk is full, since nobody is helped then by what frees nothing.
   */
  async #emptyTrash({ begunMs }: RunRecord, call: Call): Promise<void> {
    const { clock, trashMs } = this.#options;
    const { isShort } = this.#trash.room;
    if (isShort && trashMs > 0) this.#tell({ is: "short of room" });
    const nowMs = clock.now().getTime();
    for (const run of await this.#trash.runs(call)) {
      if (isWrong(run.begunMs, nowMs) && !isShort && trashMs > 0) {
        await this.#trash.redate(run, begunMs, call);
        continue;
      }
      const isOver = run.begunMs + trashMs <= nowMs;
      const isKept = run.begunMs === begunMs ? trashMs > 0 : !isOver;
      if (isShort || !isKept) await this.#trash.empty(run, call);
    }
  }

  #tell(event: GarbageEvent): void {
    countGarbage(event, this.#totals);
    this.#options.report(event);
  }
}

/** Whether the next one has to begin anew. */
function isHopeless(error: unknown): boolean {
  if (!(error instanceof GarbageError)) return false;
  return error.code === "MARKS_LOST" || error.code === "CLOCK_SET_BACK";
}

function runOf({ begunMs, graceMs }: RunRecord): TrashRun {
  return { begunMs, cutoffMs: Math.max(0, Math.floor(begunMs - graceMs)) };
}
