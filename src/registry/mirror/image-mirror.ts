import { setMaxListeners } from "node:events";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { KnownSizes } from "./known-sizes.ts";
import { openMirrorCache } from "./mirror-cache.ts";
import type { MirrorCounts } from "./mirror-counts.ts";
import { mirroredBlobs } from "./mirrored-blobs.ts";
import { mirroredManifests } from "./mirrored-manifests.ts";
import { mirroredStore } from "./mirrored-store.ts";
import type { ProxyOptions } from "./proxy-options.ts";
import { storageBelow } from "./storage-below.ts";
import { openUpstreams } from "./upstream.ts";

export interface ImageMirrorParts {
  /** What is pushed here. */
  own: ImageStore;
  storage: StorageDriver;
  /** Where its work is counted. */
  counts: MirrorCounts;
  environment: Environment;
  tracing: Pick<Tracing, "http"> | undefined;
  clock: Clock;
  logger: Logger;
}

/** Images of other registries beside our own. */
export interface ImageMirror {
  /** All of them. A repository is to be called as `nameOf` calls it. */
  store: ImageStore;
  /**
   * Our one name for the repository a client asks for, before it is decided whether it may have it;
   * `undefined` when it asks for one of a registry that we do not mirror (`namespace`, its `?ns=`).
   */
  nameOf(repository: string, namespace: string | undefined): string | undefined;
  /** Whether what is in the repository was pushed here, and not fetched. */
  isOwn(repository: string): boolean;
  /** Resolves when it is known what an earlier process has stored. */
  surveyed: Promise<void>;
  /** Breaks off what is being fetched, and keeps what is known of the rest. */
  close(call: Call): Promise<void>;
}

/** Beside Distribution's own directory, so that what is in it is never taken for pushed content. */
const directory = "/mirror";
const tidyMs = 60_000;

/** Opens the mirror that `proxy` describes. Nothing is asked of any registry before somebody pulls. */
export function openImageMirror(options: ProxyOptions, parts: ImageMirrorParts): ImageMirror {
  const { own, storage, counts, environment, tracing, clock, logger } = parts;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // as many as there are requests at once
  const call: Call = { signal: stop.signal };
  const untraced = openHttpClient({ userAgent: "dewy", environment });
  const http = tracing?.http(untraced) ?? untraced;
  const upstreams = openUpstreams(options, { http, environment, clock, logger });
  const cache = openMirrorCache({
    storage: storageBelow(storage, directory),
    ...{ clock, logger, call },
    ttlMs: options.ttl,
    maximumBytes: options.maxsize,
  });
  const shared = { cache, sizes: new KnownSizes(), counts, clock, logger, call };
  const blobs = mirroredBlobs({ ...shared, own: own.blobs });
  const manifests = mirroredManifests({
    ...shared,
    own: own.manifests,
    tagTtlMs: options.tagttl,
    patienceMs: options.patience,
  });
  const rhythm = keepTidy();

  return {
    store: mirroredStore({ own, cache: cache.store, placeOf: upstreams.placeOf, blobs, manifests }),
    nameOf: upstreams.nameOf,
    isOwn: (repository) => upstreams.placeOf(repository) === undefined,
    surveyed: cache.surveyed,

    async close(closeCall) {
      stop.abort();
      await Promise.allSettled([rhythm, blobs.ended(), manifests.ended()]);
      await cache.close(closeCall).catch((error: unknown) => {
        logger.warn("the mirror cannot note what was used when", { error });
      });
      http.close();
    },
  };

  async function keepTidy(): Promise<void> {
    await cache.surveyed;
    while (!call.signal.aborted) {
      await clock.sleep(tidyMs, call).catch(() => {}); // which ends the loop
      if (call.signal.aborted) return;
      await cache.tidy(call).catch((error: unknown) => {
        if (!call.signal.aborted) logger.error("the mirror's cache cannot be tidied", { error });
      });
    }
  }
}
