import { randomUUID } from "node:crypto";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../../base/atomic-file.ts";
import { systemCodeOf } from "../../base/errors.ts";
import type { Placement } from "../storage-driver.ts";
import { failureAt, isAbsence } from "./file-failure.ts";
import type { MadeDirectories } from "./made-directories.ts";

/** A placement, and where it is on this machine. */
export type LocalPlacement = Placement & { target: string; source?: string };

const mostTries = 5;

/**
 * Waits for the medium twice, however many files there are: until it has their bytes, and until it
 * has their names. One wait after the other, it is what most of the time of a small push goes by.
 */
export async function putInPlace(
  files: readonly LocalPlacement[],
  made: MadeDirectories,
): Promise<void> {
  const preparing = await Promise.allSettled(
    files.map((file) => told(file, () => drafted(file, made))),
  );
  const left = new Map<LocalPlacement, string>();
  for (const [index, file] of files.entries()) {
    const prepared = preparing[index];
    if (prepared?.status === "fulfilled") left.set(file, prepared.value);
  }
  try {
    for (const [index, file] of files.entries()) {
      const prepared = preparing[index];
      if (prepared?.status !== "fulfilled") throw prepared?.reason;
      await told(file, () => renamedInto(file, prepared.value, made));
      left.delete(file);
    }
  } catch (error) {
    await Promise.all([...left].map(([file, draft]) => withdraw(file, draft)));
    throw error;
  }
  const directories = [...new Set(files.map(({ target }) => dirname(target)))];
  await Promise.all([made.keep(directories), ...directories.map(syncIfThere)]);
}

/** Resolves to what is to be renamed, its bytes on the medium. */
async function drafted(
  { target, ...file }: LocalPlacement,
  made: MadeDirectories,
): Promise<string> {
  const directory = dirname(target);
  if ("from" in file) {
    const source = file.source ?? "";
    await Promise.all([made.make(directory), syncFile(source)]);
    return source;
  }
  const draft = `${target}.${randomUUID()}.tmp`;
  for (let tries = 1; ; tries++) {
    await made.make(directory);
    try {
      await writeFile(draft, file.bytes, { flush: true, mode: 0o666 });
      return draft;
    } catch (error) {
      if (isToBeTriedAgain(error, tries)) continue;
      await rm(draft, { force: true });
      throw error;
    }
  }
}

/** Another process may remove a directory that is empty, or the one of a tag with all that is in it. */
async function renamedInto(
  file: LocalPlacement,
  draft: string,
  made: MadeDirectories,
): Promise<void> {
  for (let from = draft, tries = 1; ; tries++) {
    try {
      return await rename(from, file.target);
    } catch (error) {
      if (!isToBeTriedAgain(error, tries)) throw error;
      from = await drafted(file, made);
    }
  }
}

function isToBeTriedAgain(error: unknown, tries: number): boolean {
  return systemCodeOf(error) === "ENOENT" && tries < mostTries;
}

async function withdraw(file: LocalPlacement, draft: string): Promise<void> {
  if (!("from" in file)) await rm(draft, { force: true });
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whoever removes a directory afterwards, has it to answer for. */
export async function syncIfThere(directory: string): Promise<void> {
  try {
    await syncDirectory(directory);
  } catch (error) {
    const failure = failureAt("/", error);
    if (!isAbsence(failure)) throw failure;
  }
}

async function told<Result>(file: LocalPlacement, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw failureAt("from" in file ? file.from : file.path, error);
  }
}
