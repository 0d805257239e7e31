import { randomUUID } from "node:crypto";
import { mkdir, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { statsOf } from "../../base/path-stats.ts";
import { ArchiveError, type ArchiveLimits, withinLimits } from "./archives/archive.ts";
import { decompressed } from "./archives/decompress.ts";
import { confirmKind, kindOf } from "./archives/kind.ts";
import { placeSingleFile } from "./archives/single-file.ts";
import { untar } from "./archives/tar.ts";
import { openTree, type Tree } from "./archives/tree.ts";
import { unzip } from "./archives/zip.ts";
import { removeInPlace } from "./removal.ts";

export { ArchiveError, type ArchiveLimits, archiveLimits } from "./archives/archive.ts";

/** `EXISTS`: the directory is there already. `UNWRITABLE`: the system would not let it be written. */
export class UnpackError extends DewyError<"EXISTS" | "UNWRITABLE"> {}

/**
 * Unpacks the file at `archivePath`, whose format `artifactName` tells, into the new `directory`.
 *
 * It is filled under a temporary name beside (`.NAME.….unpacking`), synced, and renamed complete; on
 * any failure nothing is left. Owners are not applied: everything belongs to who runs this.
 *
 * @throws {ArchiveError} naming the archive and what is wrong with it
 * @throws {UnpackError}
 */
export async function unpack(
  archivePath: string,
  artifactName: string,
  directory: string,
  limits: ArchiveLimits,
  call: Call,
): Promise<void> {
  if (await statsOf(directory)) throw new UnpackError("EXISTS", `${directory} exists already`);
  const parent = dirname(directory);
  const draft = join(parent, `.${basename(directory)}.${randomUUID()}.unpacking`);
  try {
    await mkdir(draft, { mode: 0o700 });
    await fill(draft, archivePath, artifactName, limits, call);
    await rename(draft, directory);
    await syncDirectory(parent);
  } catch (error) {
    await removeInPlace(draft);
    if (call.signal.aborted) throw call.signal.reason;
    throw named(artifactName, parent, error);
  }
}

async function fill(
  draft: string,
  archivePath: string,
  artifactName: string,
  limits: ArchiveLimits,
  call: Call,
): Promise<void> {
  const tree = openTree(draft, limits, call);
  try {
    await placeContent(tree, archivePath, basename(artifactName), limits, call);
    await tree.finish();
  } finally {
    await tree.close();
  }
}

async function placeContent(
  tree: Tree,
  archivePath: string,
  artifactName: string,
  limits: ArchiveLimits,
  call: Call,
): Promise<void> {
  const kind = kindOf(artifactName);
  await confirmKind(archivePath, kind);
  const { size } = await stat(archivePath);
  if (kind.form === "zip") return unzip(archivePath, tree, limits, size, call);
  const bytes = decompressed(archivePath, kind.compression, call);
  const bounded = withinLimits(bytes, limits, size);
  if (kind.form === "tar") return untar(bounded, tree);
  return placeSingleFile(kind.name, bounded, tree);
}

/** The same error, beginning with the archive's name. */
function named(artifactName: string, parent: string, cause: unknown): unknown {
  if (cause instanceof ArchiveError) {
    const message = `${artifactName}: ${cause.message}`;
    return new ArchiveError(cause.code, message, { cause, hint: cause.hint });
  }
  const code = systemCodeOf(cause);
  if (code === undefined || cause instanceof DewyError) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `${artifactName}: no space left to unpack it in ${parent}`;
    const hint = "free some space there, or keep fewer releases";
    return new ArchiveError("DISK_FULL", message, { cause, hint });
  }
  const message = `${artifactName}: it could not be unpacked in ${parent} (${messageOf(cause)})`;
  return new UnpackError("UNWRITABLE", message, { cause });
}
