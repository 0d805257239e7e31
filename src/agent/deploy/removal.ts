import { randomUUID } from "node:crypto";
import { chmod, opendir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";

/**
 * Removes what is at `path`, read-only directories too, and never follows a link.
 *
 * It is renamed first, to a name that begins with a dot: a tree that was half removed when the power
 * failed must not look like a whole one.
 */
export async function removeTree(path: string): Promise<void> {
  const doomed = join(dirname(path), `.${basename(path).replace(/^\.+/, "")}.${randomUUID()}.gone`);
  try {
    await rename(path, doomed);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return;
    throw error;
  }
  await removeInPlace(doomed);
}

/** Like `removeTree`, without the renaming: for what has a temporary name already. */
export async function removeInPlace(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!["EACCES", "EPERM", "ENOTEMPTY"].includes(systemCodeOf(error) ?? "")) throw error;
    await openUp(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function openUp(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for await (const entry of await opendir(directory)) {
    if (entry.isDirectory()) await openUp(join(directory, entry.name));
  }
}
