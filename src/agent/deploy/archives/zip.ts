import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { type Bytes, collect } from "../../../base/bytes.ts";
import type { Call } from "../../../base/call.ts";
import { messageOf } from "../../../base/errors.ts";
import { ArchiveError, type ArchiveLimits, expansionCounter } from "./archive.ts";
import { refusal } from "./entry-path.ts";
import type { Tree } from "./tree.ts";
import type { EntryAttributes } from "./tree-paths.ts";

const fileType = 0o170000;
const [regular, directory, link] = [0o100000, 0o040000, 0o120000];
/** Unix, and Darwin ("version made by", APPNOTE 4.4.2): whose external attributes hold a mode. */
const unixHosts = [3, 19];

/** Writes the entries of the zip file at `path` into `tree`. @throws {ArchiveError} */
export async function unzip(
  path: string,
  tree: Tree,
  limits: ArchiveLimits,
  archiveBytes: number,
  { signal }: Call,
): Promise<void> {
  const yauzl = (await import("yauzl")).default;
  const count = expansionCounter(limits, archiveBytes);
  // Names are decoded and judged here, by the same rules as a tar's.
  const zip = await yauzl.openPromise(path, { decodeStrings: false, autoClose: false }).catch(fail);
  try {
    checkCount(zip, limits);
    for await (const entry of entriesOf(zip)) {
      signal.throwIfAborted();
      const { generalPurposeBitFlag: flags, fileNameRaw, extraFields } = entry;
      const name = yauzl.getFileNameLowLevel(flags, fileNameRaw, extraFields, false);
      await place(zip, entry, name, tree, count);
    }
  } finally {
    zip.close();
  }
}

/** What the entries of the zip file at `path` say that they have in all. @throws {ArchiveError} */
export async function contentBytesOf(path: string): Promise<number> {
  const yauzl = (await import("yauzl")).default;
  const zip = await yauzl.openPromise(path, { decodeStrings: false, autoClose: false }).catch(fail);
  try {
    let total = 0;
    for await (const { uncompressedSize } of entriesOf(zip)) total += uncompressedSize;
    return total;
  } finally {
    zip.close();
  }
}

function checkCount({ entryCount }: ZipFile, limits: ArchiveLimits): void {
  if (entryCount === 0) throw new ArchiveError("DAMAGED", "it has no entries");
  if (entryCount <= limits.entries) return;
  throw new ArchiveError("TOO_LARGE", `it has more than the ${limits.entries} entries allowed`);
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  try {
    yield* zip.eachEntry();
  } catch (error) {
    fail(error);
  }
}

async function place(
  zip: ZipFile,
  entry: Entry,
  name: string,
  tree: Tree,
  count: (bytes: number) => void,
): Promise<void> {
  if (/^[a-z]:/i.test(name)) throw refusal(name, "its name begins with a drive");
  if (entry.isEncrypted()) throw refusal(name, "it is encrypted");
  if (!entry.canDecodeFileData()) {
    throw refusal(name, `it is compressed by method ${entry.compressionMethod}, not by deflate`);
  }
  const attributes = attributesOf(entry);
  const type = attributes.mode & fileType || (name.endsWith("/") ? directory : regular);
  if (type === directory || name.endsWith("/")) return tree.directory(name, attributes);
  const bytes = contentOf(zip, entry, name, count);
  if (type === regular) return tree.file(name, attributes, bytes);
  if (type !== link) throw refusal(name, "it is neither a file, a directory nor a link");
  const target = (await collect(bytes, 4096)).toString("utf8");
  return tree.symbolicLink(name, target, attributes.modifiedAt);
}

function attributesOf(entry: Entry): EntryAttributes {
  const modifiedAt = entry.getLastModDate();
  const mode = unixHosts.includes(entry.versionMadeBy >> 8)
    ? entry.externalFileAttributes >>> 16
    : 0;
  if (mode !== 0) return { mode, modifiedAt };
  const isDirectory =
    entry.fileNameRaw.at(-1) === 0x2f || (entry.externalFileAttributes & 0x10) !== 0;
  return { mode: isDirectory ? directory | 0o755 : regular | 0o644, modifiedAt };
}

/** yauzl checks the size of what it inflates, and leaves the checksum to us. */
async function* contentOf(
  zip: ZipFile,
  entry: Entry,
  name: string,
  count: (bytes: number) => void,
): Bytes & AsyncGenerator<Uint8Array> {
  let checksum = 0;
  try {
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      count(chunk.length);
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw damaged(name, messageOf(error), error);
  }
  if (checksum !== entry.crc32) throw damaged(name, "its checksum is wrong");
}

function damaged(name: string, reason: string, cause?: unknown): ArchiveError {
  const message = `entry ${JSON.stringify(name)} is damaged (${reason})`;
  return new ArchiveError("DAMAGED", message, cause === undefined ? {} : { cause });
}

function fail(cause: unknown): never {
  if (cause instanceof ArchiveError) throw cause;
  throw new ArchiveError("DAMAGED", `it is damaged or cut short (${messageOf(cause)})`, { cause });
}
