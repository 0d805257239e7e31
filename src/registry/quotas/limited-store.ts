import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf } from "../../oci/digest.ts";
import type { ImageStore } from "../images/image-store.ts";
import { blobDataPath } from "../images/paths.ts";
import type { Chunk, Upload } from "../images/uploads.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Reservation } from "./quota-count.ts";
import { QuotaExceeded } from "./quota-exceeded.ts";
import type { Quotas } from "./quotas.ts";

export interface LimitedStoreParts {
  store: ImageStore;
  storage: StorageDriver;
  quotas: Quotas;
}

/**
 * `store`, but for what does not fit into a quota. A blob is refused when its digest is known, as it
 * may be there already; before that only what is longer than the whole quota.
 */
export function limitedStore({ store, storage, quotas }: LimitedStoreParts): ImageStore {
  const { blobs, uploads, manifests, repositories } = store;
  return {
    ...store,

    uploads: {
      ...uploads,
      async begin(repository, call) {
        quotas.checkUpload(repository, 0);
        return await uploads.begin(repository, call);
      },
      async append(repository, id, chunk, call) {
        try {
          const upload = await uploads.find(repository, id, call);
          return await uploads.append(repository, id, guarded(chunk, upload), call);
        } catch (error) {
          // It cannot be ended any more, and would only take room.
          if (error instanceof QuotaExceeded) await cancelQuietly(repository, id, call);
          throw error;
        }
      },
      async commit(repository, id, end, call) {
        const upload = await uploads.find(repository, id, call);
        const chunk = end.chunk && guarded(end.chunk, upload);
        let reservation: Reservation | undefined;
        const verified = (size: number) => {
          reservation = quotas.reserve(repository, end.digest, size);
          end.verified?.(size);
        };
        try {
          await uploads.commit(repository, id, { ...end, chunk, verified }, call);
          reservation?.keep();
        } finally {
          reservation?.release();
        }
      },
    },

    blobs: {
      ...blobs,
      async mount(repository, digest, call) {
        const size = await sizeOf(digest, call);
        if (size === undefined) return await blobs.mount(repository, digest, call);
        return await reserved({ repository, digest, size }, () =>
          blobs.mount(repository, digest, call),
        );
      },
      async unlink(repository, digest, call) {
        return recounted(await blobs.unlink(repository, digest, call));
      },
    },

    manifests: {
      ...manifests,
      write(repository, put, call) {
        const { bytes, expected } = put;
        const digest = digestOf(bytes, expected ? algorithmOf(expected) : "sha256");
        const manifest = { repository, digest, size: bytes.length };
        return reserved(manifest, () => manifests.write(repository, put, call));
      },
      async delete(repository, digest, call) {
        return recounted(await manifests.delete(repository, digest, call));
      },
    },

    repositories: {
      ...repositories,
      async delete(repository, call) {
        return recounted(await repositories.delete(repository, call));
      },
    },
  };

  async function reserved<Result>(
    { repository, digest, size }: { repository: string; digest: Digest; size: number },
    work: () => Promise<Result>,
  ): Promise<Result> {
    const reservation = quotas.reserve(repository, digest, size);
    try {
      const result = await work();
      if (result !== false) reservation.keep();
      return result;
    } finally {
      reservation.release();
    }
  }

  function recounted(isGone: boolean): boolean {
    if (isGone) quotas.recount();
    return isGone;
  }

  function guarded(chunk: Chunk, upload: Upload): Chunk {
    return { ...chunk, source: checkedWhile(chunk.source, upload) };
  }

  async function* checkedWhile(
    source: Bytes,
    { repository, size }: Upload,
  ): Bytes & AsyncGenerator {
    let received = size;
    for await (const bytes of source) {
      received += bytes.length;
      quotas.checkUpload(repository, received);
      yield bytes;
    }
  }

  async function cancelQuietly(repository: string, id: string, call: Call): Promise<void> {
    await uploads.cancel(repository, id, call).catch(() => {}); // purged in time
  }

  async function sizeOf(digest: Digest, { signal }: Call): Promise<number | undefined> {
    return (await storage.stat(blobDataPath(digest), { signal }))?.size;
  }
}
