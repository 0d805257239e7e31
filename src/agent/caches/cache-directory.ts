import { createHash } from "node:crypto";
import { access, constants, lstat, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { removeTree } from "../deploy/removal.ts";

/** Where one app keeps what it has fetched. */
export interface CacheDirectory {
  path: string;
  /** What all apps in the same place share; `undefined` in a temporary one. */
  sharedPath: string | undefined;
  /** Removes a temporary one. */
  close(): Promise<void>;
}

export interface CacheDirectoryOptions {
  /** What `--cache` or `DEWY_CACHEDIR` names. */
  chosen: string | undefined;
  /** The app's directory. */
  root: string;
  logger: Logger;
}

class CacheDirectoryError extends DewyError<"FOREIGN"> {}

/**
 * Makes the directory, and a temporary one where that cannot be had: an agent that has lost its cache
 * still has to keep its app up.
 *
 * ```
 * <chosen>/<name>-<hash of root>/     so that apps in one place never take each other's files
 * <root>/.dewy/cache/                 when nothing is chosen
 * ```
 */
export async function openCacheDirectory(options: CacheDirectoryOptions): Promise<CacheDirectory> {
  const { chosen, root, logger } = options;
  await removeOldPlace(root, logger);
  const place = chosen === undefined ? join(root, ".dewy", "cache") : resolve(root, chosen);
  const path = chosen === undefined ? place : join(place, await namespaceOf(root));
  try {
    await mkdir(place, { recursive: true });
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (chosen !== undefined) await refuseForeign(path);
    await access(path, constants.W_OK | constants.X_OK);
    return { path, sharedPath: join(place, "shared"), close: async () => {} };
  } catch (error) {
    if (!(error instanceof DewyError) && systemCodeOf(error) === undefined) throw error;
    const temporary = await mkdtemp(join(tmpdir(), "dewy-cache-"));
    logger.warn("The cache directory cannot be used, and a temporary one is", {
      ...{ wanted: path, reason: messageOf(error), directory: temporary },
      hint: "make it writable: what is kept in a temporary one is fetched again after each restart",
    });
    return {
      path: temporary,
      sharedPath: undefined,
      close: () => rm(temporary, { recursive: true, force: true }),
    };
  }
}

async function namespaceOf(root: string): Promise<string> {
  const real = await realpath(root).catch(() => resolve(root));
  const name = basename(real).replace(/[^\w.-]+/g, "_") || "root";
  return `${name}-${createHash("sha256").update(real).digest("hex").slice(0, 12)}`;
}

/** Whose name is known beforehand, anybody may have made in a place that all may write to. */
async function refuseForeign(path: string): Promise<void> {
  const { uid } = await lstat(path);
  if (process.getuid === undefined || uid === process.getuid()) return;
  throw new CacheDirectoryError("FOREIGN", `${path} belongs to the user ${uid}`);
}

/** Where artifacts were kept before; they are fetched again when they are needed. */
async function removeOldPlace(root: string, logger: Logger): Promise<void> {
  const path = join(root, ".dewy", "artifacts");
  try {
    await removeTree(path);
  } catch (error) {
    logger.debug("An old directory could not be removed", { path, reason: messageOf(error) });
  }
}
