import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { pulledManifestPath, pulledTagPath } from "../images/paths.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/** When what a tag means was last pulled, by whatever name. */
export interface PullTimes {
  of(
    what: { repository: string; tag: string; digest: Digest },
    call: Call,
  ): Promise<Date | undefined>;
  /** Since when that is noted; `undefined` when it never was. */
  since(call: Call): Promise<Date | undefined>;
}

/** Empty; its time of last change is all there is to say. */
const sincePath: StoragePath = "/dewy/pulls-since";

export function pullTimesOn(storage: StorageDriver): PullTimes {
  const timeOf = async (path: StoragePath, call: Call) =>
    (await storage.stat(path, call))?.modified;
  return {
    /** By tag, or as Docker does that has asked for the tag with a `HEAD`: by digest. */
    async of({ repository, tag, digest }, call) {
      const byTag = await timeOf(pulledTagPath(repository, tag), call);
      const byDigest = await timeOf(pulledManifestPath(repository, digest), call);
      return byTag === undefined || (byDigest !== undefined && byDigest > byTag) ? byDigest : byTag;
    },

    since: (call) => timeOf(sincePath, call),
  };
}

/** Remembers that pulls are noted from now on, unless they are already. */
export async function notePullsSince(storage: StorageDriver, call: Call): Promise<void> {
  if (await storage.stat(sincePath, call)) return;
  await storage.write(sincePath, new Uint8Array(), call);
}
