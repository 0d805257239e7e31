import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ReadRange, StorageDriver, StoragePath } from "../storage-driver.ts";
import { readLink, writeLink } from "./link.ts";
import { blobDataPath, layerLinkPath } from "./paths.ts";

export interface Blob {
  size: number;
  /** Opens the bytes; as in `StorageDriver.read`, a chunk is only good until the next one. */
  open(range: ReadRange, call: Call): Promise<Bytes>;
}

/** The blobs of every repository: each is kept once, and linked where it may be seen. */
export interface Blobs {
  /** `undefined` when the repository has no such blob. */
  find(repository: string, digest: Digest, call: Call): Promise<Blob | undefined>;
  /**
   * Makes a blob of the repository `from`, or of any when that is not said, visible in `repository`.
   * `false` when there is no such blob.
   */
  mount(
    repository: string,
    digest: Digest,
    call: Call & { from: string | undefined },
  ): Promise<boolean>;
  /** Takes the blob out of the repository; `false` when it was not there. The bytes stay. */
  unlink(repository: string, digest: Digest, call: Call): Promise<boolean>;
}

export function blobsOn(storage: StorageDriver): Blobs {
  return {
    async find(repository, digest, call) {
      const data = await linkedData(repository, digest, call);
      if (data === undefined) return undefined;
      const file = await storage.stat(blobDataPath(data), call);
      return file && blobAt(blobDataPath(data), file.size);
    },

    async mount(repository, digest, call) {
      const { from } = call;
      const data = from === undefined ? digest : await linkedData(from, digest, call);
      if (data === undefined) return false;
      if ((await storage.stat(blobDataPath(data), call)) === undefined) return false;
      await writeLink(storage, layerLinkPath(repository, digest), data, call);
      return true;
    },

    async unlink(repository, digest, call) {
      if ((await linkedData(repository, digest, call)) === undefined) return false;
      await storage.delete(layerLinkPath(repository, digest), call);
      return true;
    },
  };

  function linkedData(repository: string, digest: Digest, call: Call): Promise<Digest | undefined> {
    return readLink(storage, layerLinkPath(repository, digest), call);
  }

  function blobAt(path: StoragePath, size: number): Blob {
    return {
      size,
      open: ({ from = 0, to = size }, { signal }) => storage.read(path, { from, to, signal }),
    };
  }
}
