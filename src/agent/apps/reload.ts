import { isEchoOf } from "../../base/call.ts";
import { changesOf, type WatchedFileParts } from "../../base/watched-file.ts";
import type { AppOptions } from "../app-options.ts";
import type { AppsParts } from "./apps.ts";

/**
 * Watches the file at `path` for `runApps`. What `parse` refuses is logged, once each time the file
 * was written, and changes nothing.
 */
export function reloadFrom(
  path: string,
  parse: (text: string) => Promise<readonly AppOptions[]>,
  parts: WatchedFileParts,
): AppsParts["onReload"] {
  return (listener) => {
    const stopped = new AbortController();
    void watch(listener, stopped.signal);
    return () => stopped.abort(new Error("nobody listens any more"));
  };

  async function watch(listener: (apps: readonly AppOptions[]) => void, signal: AbortSignal) {
    try {
      for await (const text of changesOf(path, parts, { signal })) {
        const apps = await parsed(text);
        if (apps) listener(apps);
      }
    } catch (error) {
      if (!isEchoOf(signal, error)) {
        parts.logger.error("the file is not watched any more", { path, error });
      }
    }
  }

  async function parsed(text: string): Promise<readonly AppOptions[] | undefined> {
    try {
      return await parse(text);
    } catch (error) {
      const what = "the new configuration is refused; everything goes on as it was";
      parts.logger.error(what, { path, error });
      return undefined;
    }
  }
}
