import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import type { RegistryConfig } from "../config.ts";

/**
 * Where notifications wait: beside what Distribution keeps in the storage directory, so that it
 * moves and is backed up with it. `undefined` where the storage has no directory and none is named.
 */
export function queueDirectoryOf({
  notifications,
  storage,
}: Pick<RegistryConfig, "notifications" | "storage">): string | undefined {
  const { directory } = notifications.queue;
  if (directory !== undefined) return resolve(directory);
  if (storage.choice.driver !== "filesystem") return undefined;
  return resolve(storage.choice.options.rootdirectory, "dewy", "notifications");
}

/** The directory of one endpoint: its name as far as a path takes it, and what sets it apart. */
export function endpointDirectory(directory: string, name: string): string {
  const readable = name.replaceAll(/[^\w-]+/g, "-").slice(0, 40);
  const mark = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return join(directory, `${readable}-${mark}`);
}
