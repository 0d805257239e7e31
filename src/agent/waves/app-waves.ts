import type { Call } from "../../base/call.ts";
import type { AppOptions } from "../app-options.ts";
import type { AppCache } from "../caches/index.ts";
import type { ChoiceRules } from "../choose/choose.ts";
import type { ReleaseRegistry } from "../release.ts";
import { fleetKey, openWaves, type WaveParts, type Waves } from "./waves.ts";

export interface AppWaves extends Waves {
  close(): void;
}

type AppWaveParts = Omit<WaveParts, "cache" | "key" | "self"> & {
  host: string;
  cache: Pick<AppCache, "entries">;
  registry: Pick<ReleaseRegistry, "name" | "scope">;
  rules: ChoiceRules;
};

/** The waves of one app, which are attended to until `close`; `undefined` where it asked for none. */
export function openAppWaves(
  { waves: asked, mode, intervalMs, directory }: AppOptions,
  { host, cache, registry, rules, ...parts }: AppWaveParts,
  { signal }: Call,
): AppWaves | undefined {
  if (!asked) return undefined;
  const key = keyFor(mode, registry, rules);
  const self = `${host}:${directory}`;
  const own = { ...parts, self, key, cache: cache.entries };
  const waves = openWaves({ ...asked, intervalMs }, own);
  const over = new AbortController();
  const attending = waves.attend({ signal: AbortSignal.any([signal, over.signal]) });
  attending.catch((error) => {
    if (signal.aborted || over.signal.aborted) return;
    parts.logger.error("the fleet hears of this host only between two polls", { error });
  });
  return { ...waves, close: () => over.abort() };
}

/** A fleet is who would choose the same file of the same registry. */
function keyFor(
  mode: string,
  { name, scope }: Pick<ReleaseRegistry, "name" | "scope">,
  { platform, libc, preRelease, artifact, slot, constraint, versioning }: ChoiceRules,
): string {
  const versions = [slot, constraint?.text, versioning?.which];
  return fleetKey(mode, name, scope, platform, libc, preRelease, artifact, versions);
}
