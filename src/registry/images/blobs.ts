import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ReadRange, StorageDriver, StoragePath, StoredFile } from "../storage-driver.ts";
import { holdLinked, isEmptied } from "./hold-linked.ts";
import type { Leases } from "./leases.ts";
import { linkAt, readOwnLink } from "./link.ts";
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
   * Whether the repository has it, for one who is going to name it: it is not collected for as long
   * as the grace period after that, and brought back when it was.
   */
  hold(repository: string, digest: Digest, call: Call): Promise<boolean>;
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

export function blobsOn(storage: StorageDriver, leases: Leases): Blobs {
  return {
    async find(repository, digest, call) {
      const data = await linkedData(repository, digest, call);
      if (data === undefined) return undefined;
      const path = blobDataPath(data);
      const file = (await storage.stat(path, call)) ?? (await rescued(path, call));
      if (file === undefined || isEmptied(file, data)) return undefined;
      if (leases.isDue(path) && !(await leases.renew(path, call))) return undefined;
      return blobAt(path, file.size);
    },

    async hold(repository, digest, call) {
      const link = layerLinkPath(repository, digest);
      return (await holdLinked(link, digest, { storage, leases }, call)) !== undefined;
    },

    async mount(repository, digest, call) {
      const { from } = call;
      const data = from === undefined ? digest : await linkedData(from, digest, call);
      if (data === undefined) return false;
      const file = await storage.stat(blobDataPath(data), call);
      if (file === undefined || isEmptied(file, data)) return false;
      await storage.place([linkAt(layerLinkPath(repository, digest), data)], call);
      return await leases.renew(blobDataPath(data), call);
    },

    async unlink(repository, digest, call) {
      const link = layerLinkPath(repository, digest);
      if ((await linkedData(repository, digest, call)) === undefined) return false;
      await storage.delete(link, call);
      await leases.end(link, call);
      return true;
    },
  };

  async function linkedData(
    repository: string,
    digest: Digest,
    call: Call,
  ): Promise<Digest | undefined> {
    const link = layerLinkPath(repository, digest);
    const data = await readOwnLink(storage, link, digest, call);
    if (data !== undefined || !(await leases.rescue(link, call))) return data;
    return readOwnLink(storage, link, digest, call);
  }

  async function rescued(path: StoragePath, call: Call): Promise<StoredFile | undefined> {
    return (await leases.rescue(path, call)) ? storage.stat(path, call) : undefined;
  }

  function blobAt(path: StoragePath, size: number): Blob {
    return {
      size,
      open: ({ from = 0, to = size }, { signal }) => storage.read(path, { from, to, signal }),
    };
  }
}
