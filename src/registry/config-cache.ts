import * as v from "valibot";

/** `storage.cache`: Distribution remembers the sizes of blobs, to ask its storage less. */
export const DescriptorCache = v.strictObject({
  blobdescriptor: v.optional(v.picklist(["inmemory", "redis"], "choose inmemory or redis")),
  /** The name of `blobdescriptor` in Distribution 2.0. */
  layerinfo: v.optional(v.picklist(["inmemory", "redis"], "choose inmemory or redis")),
  blobdescriptorsize: v.optional(
    v.pipe(v.number("write a number"), v.integer("write a whole number"), v.minValue(0)),
  ),
});

/**
 * Why those keys are taken without effect, for the log: a size comes from the file itself, by a call
 * that costs no more than a look into a cache, and cannot be out of date.
 */
export const cacheNote =
  "storage.cache has no effect, and needs none: the size of a blob is read from its file";
