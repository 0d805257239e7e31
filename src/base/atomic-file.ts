import { randomUUID } from "node:crypto";
import { chmod, chown, link, lstat, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCodeOf } from "./errors.ts";

const minuteMs = 60_000;
const draftEnding = /^[0-9a-f-]{36}\.tmp$/;

/**
 * Writes a file so that readers, and the next boot, see the old bytes or the new, never a mix.
 */
export async function writeFileWhole(
  path: string,
  bytes: string | Uint8Array,
  { mode = 0o644 }: { mode?: number } = {},
): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, bytes, { flush: true, mode });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw naming(path, error);
  }
  await syncDirectory(dirname(path));
}

/** A write that fails, as on a full disk, does not say where by itself. */
function naming(path: string, error: unknown): unknown {
  const isUnnamed = error instanceof Error && systemCodeOf(error) && !("path" in error);
  if (isUnnamed) error.message += ` '${path}'`;
  return error;
}

/**
 * Makes a file that was not there, with all its bytes or not at all. `false` when there is one
 * already, which is left as it is: of several who try, one succeeds.
 *
 * `owner` is who is to have it, as far as this process may give files away.
 */
export async function createFileWhole(
  path: string,
  bytes: string | Uint8Array,
  { mode, owner }: { mode: number; owner?: { uid: number; gid: number } },
): Promise<boolean> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, bytes, { flag: "wx", mode, flush: true });
    if (owner) await giveTo(draft, { ...owner, mode });
    await link(draft, path); // unlike a rename, this replaces nothing
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

/** Only the superuser may, and everybody else makes files that are their own. */
export async function giveTo(
  path: string,
  { uid, gid, mode }: { uid: number; gid: number; mode: number },
): Promise<void> {
  await chown(path, uid, gid).catch((error: unknown) => {
    if (systemCodeOf(error) !== "EPERM") throw error;
  });
  await chmod(path, mode); // what the umask took away, and a change of owner
}

/** Makes the names in `directory` survive a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Removes the drafts of `path` that processes killed while writing it have left: those older than
 * a minute, as a younger one may belong to somebody who is writing now.
 */
export async function removeDrafts(path: string): Promise<void> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  await removeOld(
    directory,
    (name) => name.startsWith(prefix) && draftEnding.test(name.slice(prefix.length)),
  );
}

/** Removes the files in `directory` that are called so and older than a minute. */
export async function removeOld(
  directory: string,
  isCalledSo: (name: string) => boolean,
): Promise<void> {
  for (const name of (await readdir(directory)).filter(isCalledSo)) {
    const path = join(directory, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > minuteMs) await rm(path, { force: true });
  }
}
