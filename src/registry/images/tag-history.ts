import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { type InTurn, openTurns } from "../../base/turns.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import { readLink } from "./link.ts";
import { tagHistoryPath, tagIndexLinkPath, tagIndexPath, tagLinkPath } from "./paths.ts";
import { storedDigests } from "./stored-digests.ts";

/** A tag that was set to another manifest, or deleted. */
export interface TagChange {
  at: Date;
  /** What the tag has meant since; `undefined` when it was deleted. */
  digest: Digest | undefined;
  /** What it had meant, where that is known. */
  previous: Digest | undefined;
  /** Who did it; `undefined` for somebody who did not log in, and where it was not noted. */
  actor: string | undefined;
}

/** Says on whose behalf something is changed. */
export type ActorCall = Call & { actor?: string | undefined };

/** Remembers what each tag has meant, for people and for rules; nothing relies on it. */
export interface TagHistory {
  /** Never fails, as nobody's push does because of it. What is listed from now on waits for it. */
  note(repository: string, tag: string, change: NotedChange, call: ActorCall): Promise<void>;
  /** The same a little later, together with others, for whoever does not wait. */
  noteSoon(repository: string, tag: string, change: NotedChange, call: ActorCall): void;
  /**
   * Newest first. What was not noted, as Distribution does not, is told by the links of the tag:
   * without an actor, and for each manifest only the last time.
   */
  list(repository: string, tag: string, call: Call): Promise<TagChange[]>;
  /** Resolves when all is noted. */
  settled(): Promise<void>;
}

type NotedChange = Pick<TagChange, "digest" | "previous">;

export interface TagHistoryParts {
  clock: Clock;
  logger: Logger;
}

/** What is noted within this time is written together. */
const gatheredMs = 20;

/** The line breaks come first, so that a line that was cut off spoils no other. */
interface Unwritten {
  repository: string;
  tag: string;
  lines: string;
  call: Call;
}

/** A few hundred changes. What is longer was not shortened yet. */
const maximumBytes = 64 * 1024;
const mostReadBytes = 2 * maximumBytes;

const StoredDigest = v.custom<Digest>((text) => typeof text === "string" && isDigest(text));
const StoredChange = v.object({
  at: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
    v.check((date) => !Number.isNaN(date.getTime())),
  ),
  digest: v.optional(StoredDigest),
  previous: v.optional(StoredDigest),
  actor: v.optional(v.string()),
});

export function tagHistoryOn(
  storage: StorageDriver,
  { clock, logger }: TagHistoryParts,
): TagHistory {
  const writers = new Map<StoragePath, { inTurn: InTurn; waiting: number }>();
  let unwritten = new Map<StoragePath, Unwritten>();
  let isDue = false;

  return {
    async note(...noted) {
      gather(...noted);
      await writeAll();
    },

    noteSoon(...noted) {
      gather(...noted);
      if (!isDue) setTimeout(writeDue, gatheredMs);
      isDue = true;
    },

    async list(repository, tag, call) {
      const path = tagHistoryPath(repository, tag);
      await writeAll();
      const noted = changesIn(await exclusively(path, () => textOf(path, call)));
      const current = await currentOf(repository, tag, call);
      const isNoted = current === undefined || noted.at(-1)?.digest === current.digest;
      const last = isNoted ? [] : [current];
      const known = new Set([...noted, ...last].map(({ digest }) => digest));
      const linked = await linkedChanges(repository, tag, known, call);
      return [...noted, ...linked, ...last].sort(byTime).reverse();
    },

    async settled() {
      await writeAll();
      await Promise.all([...writers.values()].map(({ inTurn }) => inTurn(async () => {})));
    },
  };

  function gather(repository: string, tag: string, change: NotedChange, call: ActorCall): void {
    const path = tagHistoryPath(repository, tag);
    const line = JSON.stringify({ at: clock.now(), ...change, actor: call.actor });
    const lines = `${unwritten.get(path)?.lines ?? ""}\n${line}`;
    unwritten.set(path, { repository, tag, lines, call });
  }

  function writeDue(): void {
    isDue = false;
    void writeAll();
  }

  async function writeAll(): Promise<void> {
    const all = [...unwritten];
    unwritten = new Map();
    await Promise.all(all.map(([path, one]) => exclusively(path, () => add(path, one))));
  }

  async function add(path: StoragePath, { repository, tag, lines, call }: Unwritten) {
    try {
      const size = await storage.extend(path, Buffer.from(lines), call);
      if (size > maximumBytes) await shorten(path, call);
    } catch (error) {
      if (call.signal.aborted) return;
      logger.warn("the change of a tag could not be noted", { repository, tag, error });
    }
  }

  /** Keeps the newer half. */
  async function shorten(path: StoragePath, call: Call): Promise<void> {
    const text = await textOf(path, call);
    const half = text.indexOf("\n", Math.floor(text.length / 2));
    await storage.write(path, Buffer.from(half < 0 ? "" : text.slice(half)), call);
  }

  async function textOf(path: StoragePath, { signal }: Call): Promise<string> {
    try {
      const bytes = await storage.readWhole(path, { maximumBytes: mostReadBytes, signal });
      return bytes === undefined ? "" : Buffer.from(bytes).toString();
    } catch (error) {
      if (error instanceof StorageError && error.code === "TOO_LARGE") return "";
      throw error;
    }
  }

  async function linkedChanges(
    repository: string,
    tag: string,
    known: ReadonlySet<Digest | undefined>,
    call: Call,
  ): Promise<TagChange[]> {
    const found: TagChange[] = [];
    for await (const digest of storedDigests(storage, tagIndexPath(repository, tag), call)) {
      if (known.has(digest)) continue;
      const link = await storage.stat(tagIndexLinkPath(repository, tag, digest), call);
      if (link !== undefined) found.push(unattributed(digest, link.modified));
    }
    return found;
  }

  async function currentOf(
    repository: string,
    tag: string,
    call: Call,
  ): Promise<TagChange | undefined> {
    const path = tagLinkPath(repository, tag);
    const digest = await readLink(storage, path, call);
    const link = digest && (await storage.stat(path, call));
    return link && unattributed(digest, link.modified);
  }

  async function exclusively<Result>(
    path: StoragePath,
    work: (path: StoragePath) => Promise<Result>,
  ): Promise<Result> {
    const writer = writers.get(path) ?? { inTurn: openTurns(), waiting: 0 };
    writers.set(path, writer);
    writer.waiting++;
    try {
      return await writer.inTurn(() => work(path));
    } finally {
      writer.waiting--;
      if (writer.waiting === 0) writers.delete(path);
    }
  }
}

function changesIn(text: string): TagChange[] {
  return text.split("\n").flatMap((line) => {
    const result = v.safeParse(v.pipe(v.string(), v.parseJson(), StoredChange), line);
    if (!result.success) return [];
    const { at, digest, previous, actor } = result.output;
    return [{ at, digest, previous, actor }];
  });
}

function unattributed(digest: Digest, at: Date): TagChange {
  return { at, digest, previous: undefined, actor: undefined };
}

function byTime(one: TagChange, other: TagChange): number {
  return one.at.getTime() - other.at.getTime();
}
