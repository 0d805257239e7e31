import type { ListenerParts } from "./api/listener.ts";
import { accessOf } from "./api-settings.ts";
import type { Closers } from "./closers.ts";
import type { RegistryConfig } from "./config.ts";
import { immutableTagsOf } from "./garbage/retention.ts";
import { imageStoreOn } from "./images/image-store.ts";
import { lastPullsOn } from "./images/last-pulls.ts";
import { type TagHistory, tagHistoryOn } from "./images/tag-history.ts";
import type { openImageMirror } from "./mirror/image-mirror.ts";
import type { Surroundings } from "./open-surroundings.ts";
import { type Limits, openLimits } from "./quotas/limits.ts";

/** The images that are served: those that were pushed, within their quotas, and those of a mirror. */
export interface Images extends Pick<ListenerParts, "store" | "nameOf" | "pulls"> {
  history: TagHistory;
  quotas: Pick<Limits, "states" | "recount">;
}

/** What is open when it throws is in `closers`. */
export async function openImages(
  config: RegistryConfig,
  { storage, observers, tracing, clock, logger, environment }: Surroundings,
  closers: Closers,
): Promise<Images> {
  const isReadonly = accessOf(config) === "read";
  const history = tagHistoryOn(storage, { clock, logger });
  closers.add(() => history.settled());
  const unlimited = imageStoreOn(observers.storage, {
    ...{ clock, history, logger },
    ...rulesOf(config),
  });
  const counted = { store: unlimited, storage, clock, logger };
  const quotas = await openLimits(isReadonly ? [] : config.quotas, counted);
  closers.add(() => quotas.close());
  const own = quotas.store;
  const { counts } = observers;
  const mirrored = { own, storage, counts, environment, tracing, clock, logger };
  const mirror = config.proxy && (await openMirrorOf(config.proxy, mirrored));
  if (mirror) closers.add((call) => mirror.close(call));
  const { store, nameOf } = mirror ?? { store: own, nameOf: undefined };
  const isNoted = (repository: string) => !isReadonly && (mirror?.isOwn(repository) ?? true);
  const pulls = lastPullsOn(storage, { isNoted, clock, logger });
  closers.add(() => pulls.settled());
  return { store, nameOf, pulls, history, quotas };
}

async function openMirrorOf(...given: Parameters<typeof openImageMirror>) {
  return (await import("./mirror/image-mirror.ts")).openImageMirror(...given);
}

/** What the image store refuses. */
function rulesOf({ validation, storage: { maintenance } }: RegistryConfig) {
  return {
    validation: validation.disabled ? undefined : validation.manifests,
    immutable: immutableTagsOf(maintenance.retention.rules),
  };
}
