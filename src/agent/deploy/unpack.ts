import { randomUUID } from "node:crypto";
import { lstat, mkdir, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { DewyError, systemCodeOf } from "../../base/errors.ts";
import { ArchiveError, type ArchiveLimits, withinLimits } from "./archives/archive.ts";
import { decompressed, type FindProgram } from "./archives/decompress.ts";
import { confirmKind, kindOf } from "./archives/kind.ts";
import { placeSingleFile } from "./archives/single-file.ts";
import { untar } from "./archives/tar.ts";
import { openTree, type Tree } from "./archives/tree.ts";
import { unzip } from "./archives/zip.ts";
import { removeInPlace } from "./removal.ts";

export { ArchiveError, type ArchiveLimits, archiveLimits } from "./archives/archive.ts";

export interface UnpackOptions {
  limits: ArchiveLimits;
  /** Where decompression programs are; by default on `PATH`. */
  findProgram?: FindProgram;
}

/**
 * Unpacks the file at `archivePath`, whose format `artifactName` tells, into the new `directory`.
 *
 * It is filled under a temporary name beside (`.NAME.….unpacking`), synced, and renamed complete; on
 * any failure nothing is left. Owners are not applied: everything belongs to who runs this.
 *
 * @throws {ArchiveError} naming the archive and what is wrong with it
 */
export async function unpack(
  archivePath: string,
  artifactName: string,
  directory: string,
  options: UnpackOptions,
  call: Call,
): Promise<void> {
  if (await exists(directory)) throw new UnpackError("EXISTS", `${directory} exists already`);
  const parent = dirname(directory);
  const draft = join(parent, `.${basename(directory)}.${randomUUID()}.unpacking`);
  await mkdir(draft, { mode: 0o700 });
  try {
    await fill(draft, archivePath, artifactName, options, call);
    await rename(draft, directory);
    await syncDirectory(parent);
  } catch (error) {
    await removeInPlace(draft);
    if (call.signal.aborted) throw call.signal.reason;
    throw named(artifactName, parent, error);
  }
}

export class UnpackError extends DewyError<"EXISTS"> {}

async function fill(
  draft: string,
  archivePath: string,
  artifactName: string,
  options: UnpackOptions,
  call: Call,
): Promise<void> {
  const tree = openTree(draft, options.limits, call);
  try {
    await placeContent(tree, archivePath, basename(artifactName), options, call);
    await tree.finish();
  } finally {
    await tree.close();
  }
}

async function placeContent(
  tree: Tree,
  archivePath: string,
  artifactName: string,
  { limits, findProgram }: UnpackOptions,
  call: Call,
): Promise<void> {
  const kind = kindOf(artifactName);
  await confirmKind(archivePath, kind);
  const { size } = await stat(archivePath);
  if (kind.form === "zip") return unzip(archivePath, tree, limits, size, call);
  const bytes = decompressed(archivePath, kind.compression, call, findProgram);
  const bounded = withinLimits(bytes, limits, size);
  if (kind.form === "tar") return untar(bounded, tree);
  return placeSingleFile(kind.name, bounded, tree);
}

/** The same error, beginning with the archive's name; anything else a library threw is damage. */
function named(artifactName: string, parent: string, error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new ArchiveError(
      "DISK_FULL",
      `${artifactName}: no space left to unpack it in ${parent}`,
      {
        cause: error,
        hint: "free some space there, or keep fewer releases",
      },
    );
  }
  if (error instanceof ArchiveError) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new ArchiveError(error.code, `${artifactName}: ${error.message}`, {
      cause: error,
      ...hint,
    });
  }
  return error;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return false;
    throw error;
  }
}
