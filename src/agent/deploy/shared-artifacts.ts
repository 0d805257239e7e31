import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import * as v from "valibot";
import type { Bytes } from "../../base/bytes.ts";
import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { Cache } from "../cache.ts";
import type { Artifact, OpenedArtifact, ReleaseRegistry } from "../release.ts";
import type { StoredArtifact } from "./artifact-store.ts";
import { FetchError } from "./fetch-error.ts";

const offerMs = 600_000;

const Record = v.object({
  digest: v.custom<Digest>((text) => isDigest(String(text)), "is not a digest"),
});

/** What hosts fetch for one another. */
export interface SharedArtifacts {
  /**
   * The digest that the host which shared it has found, where the registry tells none. It protects
   * from damage, not from who can write into the cache.
   */
  knownDigest(artifact: Artifact, call: Call): Promise<Digest | undefined>;
  has(digest: Digest, call: Call): Promise<boolean>;
  /** Opens what is there under the artifact's digest; unchecked. */
  open(artifact: Artifact, call: Call & { from: number }): Promise<OpenedArtifact>;
  /** Removes what turned out to be something else. */
  remove(digest: Digest, call: Call): Promise<void>;
  /** Hands what was fetched from the registry to the others, in its own time. */
  offer(artifact: Artifact, stored: StoredArtifact): void;
  /** Notes the digest of an artifact for which the registry tells none. */
  record(artifact: Artifact, digest: Digest, call: Call): Promise<void>;
  /** When all that was offered is shared, or has failed to be. */
  settled(): Promise<void>;
  /** Breaks off what is being offered. */
  close(): Promise<void>;
}

export interface SharedArtifactsOptions {
  cache: Cache;
  /** Whose artifacts they are. */
  registry: Pick<ReleaseRegistry, "name" | "scope">;
  logger: Logger;
}

/** `undefined` where the cache cannot hold artifacts. */
export function openSharedArtifacts(options: SharedArtifactsOptions): SharedArtifacts | undefined {
  const { cache, registry, logger } = options;
  const { artifacts } = cache;
  if (artifacts === undefined) return undefined;
  const stop = new AbortController();
  let offering: Promise<void> = Promise.resolve();
  let failing = false;

  return {
    async knownDigest(artifact, call) {
      const entry = await cache.read(recordKey(artifact), call);
      if (entry === undefined) return undefined;
      try {
        return v.parse(Record, JSON.parse(entry.value.toString())).digest;
      } catch {
        return undefined; // written anew with the next offer
      }
    },

    has: (digest, call) => artifacts.has(digest, call),

    async open(artifact, call) {
      const opened = artifact.digest && (await artifacts.open(artifact.digest, call));
      if (opened) return opened;
      throw new FetchError("CUT", `${artifact.name} is in ${cache.name} no more`);
    },

    remove: (digest, call) => artifacts.remove(digest, call),

    offer(artifact, stored) {
      if (stored.sizeBytes > artifacts.maximumBytes) {
        const { sizeBytes } = stored;
        logger.debug("An artifact is too large to be shared", { sizeBytes, cache: cache.name });
        return;
      }
      offering = offering.then(async () => {
        try {
          await withTimeout("sharing an artifact", offerMs, stop, (call) =>
            share(artifact, stored, call),
          );
          failing = false;
        } catch (error) {
          if (isEchoOf(stop.signal, error)) return;
          const fields = { artifact: artifact.name, cache: cache.name, reason: messageOf(error) };
          logger[failing ? "debug" : "warn"]("An artifact could not be shared", fields);
          failing = true;
        }
      });
    },

    record,
    settled: () => offering,

    async close() {
      stop.abort();
      await offering;
    },
  };

  async function share(
    artifact: Artifact,
    { path, digest, sizeBytes }: StoredArtifact,
    call: Call,
  ): Promise<void> {
    if (!(await artifacts?.has(digest, call))) {
      await artifacts?.put({ digest, sizeBytes }, contentOf(path, call), call);
      logger.debug("An artifact is shared", { artifact: artifact.name, digest });
    }
    if (artifact.digest === undefined) await record(artifact, digest, call);
  }

  async function record(artifact: Artifact, digest: Digest, call: Call): Promise<void> {
    const bytes = Buffer.from(JSON.stringify({ digest }));
    await cache.write(recordKey(artifact), bytes, { ifVersion: "any" }, call);
  }

  function recordKey({ name, url, identity }: Artifact): string {
    const facts = [registry.name, registry.scope ?? "", name, url, identity];
    const hash = createHash("sha256").update(JSON.stringify(facts)).digest("hex");
    return `artifact-${hash}`;
  }
}

/** Opened when the first byte is wanted: a stream that nobody reads has nobody to tell that it broke. */
async function* contentOf(path: string, { signal }: Call): Bytes {
  yield* createReadStream(path, { signal });
}
