import type { Call } from "../../base/call.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { repositoryPath } from "./paths.ts";

export type RepositoryPart = "_manifests" | "_layers" | "_uploads";

/** One of these is there. Distribution 3 looks for the first, 2 for the other. */
export const repositoryParts: readonly RepositoryPart[] = ["_manifests", "_layers"];

/** Whether anything was ever pushed to it. */
export async function isRepositoryThere(
  storage: StorageDriver,
  repository: string,
  { signal, having = repositoryParts }: Call & { having?: readonly RepositoryPart[] },
): Promise<boolean> {
  for (const part of having) {
    if (await storage.stat(`${repositoryPath(repository)}/${part}`, { signal })) return true;
  }
  return false;
}
