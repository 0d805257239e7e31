import type { Call } from "../../base/call.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { repositoryPath } from "./paths.ts";

export type RepositoryPart = "_manifests" | "_layers" | "_uploads";

/** Whether anything was ever pushed to it. Distribution 3 looks for the first part, 2 for the other. */
export async function isRepositoryThere(
  storage: StorageDriver,
  repository: string,
  { signal, having = ["_manifests", "_layers"] }: Call & { having?: readonly RepositoryPart[] },
): Promise<boolean> {
  for (const part of having) {
    if (await storage.stat(`${repositoryPath(repository)}/${part}`, { signal })) return true;
  }
  return false;
}
