import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { removeInPlace } from "./removal.ts";
import { type ArchiveLimits, archiveLimits, unpack } from "./unpack.ts";

/** Unpacks `bytes` into a new directory that lasts as long as the test. */
export async function unpacked(
  name: string,
  bytes: Uint8Array,
  signal: AbortSignal,
  limits: Partial<ArchiveLimits> = {},
): Promise<{ directory: string; parent: string }> {
  const parent = await temporaryDirectory();
  const archives = await temporaryDirectory();
  const directory = join(parent, "release");
  await writeFile(join(archives, "stored"), bytes);
  const allowed = { ...archiveLimits, ...limits };
  await unpack(join(archives, "stored"), name, directory, allowed, { signal });
  return { directory, parent };
}

/** What comes of unpacking `bytes`, and what is left where they would have gone. */
export async function refused(
  name: string,
  bytes: Uint8Array,
  signal: AbortSignal,
  limits: Partial<ArchiveLimits> = {},
): Promise<{ error: unknown; left: string[] }> {
  const parent = await temporaryDirectory();
  const archive = join(await temporaryDirectory(), "stored");
  await writeFile(archive, bytes);
  const allowed = { ...archiveLimits, ...limits };
  const error = await unpack(archive, name, join(parent, "release"), allowed, { signal }).then(
    () => "it was unpacked",
    (failure: unknown) => failure,
  );
  return { error, left: await readdir(parent) };
}

export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dewy-unpack-"));
  onTestFinished(() => removeInPlace(path));
  return path;
}
