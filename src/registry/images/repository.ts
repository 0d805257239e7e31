import type { Call } from "../../base/call.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { repositoryPath } from "./paths.ts";

/** Whether anything was ever pushed to it. Distribution 3 looks for the first part, 2 for the other. */
export async function isRepositoryThere(
  storage: StorageDriver,
  repository: string,
  call: Call,
): Promise<boolean> {
  for (const part of ["_manifests", "_layers"] as const) {
    if (await storage.stat(`${repositoryPath(repository)}/${part}`, call)) return true;
  }
  return false;
}
