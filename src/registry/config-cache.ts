import * as v from "valibot";

/**
 * `storage.cache`: Distribution remembers the sizes of blobs, to ask its storage less. Here a size comes
 * from the file itself, by a call that costs no more than a look into a cache, and is never out of date.
 */
export const DescriptorCache = v.strictObject({
  blobdescriptor: v.optional(v.picklist(["inmemory", "redis"], "choose inmemory or redis")),
  /** The name of `blobdescriptor` in Distribution 2.0. */
  layerinfo: v.optional(v.picklist(["inmemory", "redis"], "choose inmemory or redis")),
  blobdescriptorsize: v.optional(
    v.pipe(v.number("write a number"), v.integer("write a whole number"), v.minValue(0)),
  ),
});
