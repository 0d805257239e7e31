import { OciError } from "../../oci/error.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { MirroredBlobs } from "./mirrored-blobs.ts";
import { joinedCatalog, mirroredReferrers, mirroredTags } from "./mirrored-listings.ts";
import type { MirroredManifests } from "./mirrored-manifests.ts";
import type { Place } from "./upstream.ts";

export interface MirroredStoreParts {
  /** For every repository that is nobody else's. */
  own: ImageStore;
  /** What was fetched. */
  cache: ImageStore;
  placeOf(repository: string): Place | undefined;
  blobs: MirroredBlobs;
  manifests: MirroredManifests;
}

/** Our own repositories, and those of other registries, which can only be read. */
export function mirroredStore(parts: MirroredStoreParts): ImageStore {
  const { own, cache, placeOf } = parts;
  const mirror = parts;
  return {
    blobs: {
      find(repository, digest, call) {
        const place = placeOf(repository);
        return place
          ? mirror.blobs.find(place, digest, call)
          : own.blobs.find(repository, digest, call);
      },
      async hold(repository, digest, call) {
        const place = placeOf(repository);
        if (place === undefined) return await own.blobs.hold(repository, digest, call);
        return (await mirror.blobs.find(place, digest, call)) !== undefined;
      },
      mount: async (repository, digest, call) =>
        own.blobs.mount(checkedOwn(repository), digest, call),
      unlink: async (repository, digest, call) =>
        own.blobs.unlink(checkedOwn(repository), digest, call),
    },
    uploads: {
      begin: async (repository, call) => own.uploads.begin(checkedOwn(repository), call),
      find: async (repository, id, call) => own.uploads.find(checkedOwn(repository), id, call),
      append: async (repository, id, chunk, call) =>
        own.uploads.append(checkedOwn(repository), id, chunk, call),
      commit: async (repository, id, end, call) =>
        own.uploads.commit(checkedOwn(repository), id, end, call),
      cancel: async (repository, id, call) => own.uploads.cancel(checkedOwn(repository), id, call),
    },
    manifests: {
      read(repository, digest, call) {
        const place = placeOf(repository);
        return place
          ? mirror.manifests.read(place, digest, call)
          : own.manifests.read(repository, digest, call);
      },
      readTag(repository, tag, call) {
        const place = placeOf(repository);
        return place
          ? mirror.manifests.readTag(place, tag, call)
          : own.manifests.readTag(repository, tag, call);
      },
      async has(repository, digest, call) {
        const place = placeOf(repository);
        if (place === undefined) return await own.manifests.has(repository, digest, call);
        return (await mirror.manifests.read(place, digest, call)) !== undefined;
      },
      async hold(repository, digest, call) {
        const place = placeOf(repository);
        if (place === undefined) return await own.manifests.hold(repository, digest, call);
        return (await mirror.manifests.read(place, digest, call)) !== undefined;
      },
      write: async (repository, put, call) =>
        own.manifests.write(checkedOwn(repository), put, call),
      delete: async (repository, digest, call) =>
        own.manifests.delete(checkedOwn(repository), digest, call),
    },
    tags: {
      async read(repository, tag, call) {
        const place = placeOf(repository);
        if (place === undefined) return await own.tags.read(repository, tag, call);
        return (await mirror.manifests.readTag(place, tag, call))?.digest;
      },
      write: async (repository, names, digest, call) =>
        own.tags.write(checkedOwn(repository), names, digest, call),
      delete: async (repository, tag, call) => own.tags.delete(checkedOwn(repository), tag, call),
      list(repository, page, call) {
        const place = placeOf(repository);
        return place
          ? mirroredTags(place, page, cache, call)
          : own.tags.list(repository, page, call);
      },
      of: (repository, digest, call) =>
        (placeOf(repository) ? cache : own).tags.of(repository, digest, call),
    },
    catalog: joinedCatalog(own.catalog, cache.catalog),
    referrers: {
      list(repository, subject, call) {
        const place = placeOf(repository);
        return place
          ? mirroredReferrers(place, subject, cache, call)
          : own.referrers.list(repository, subject, call);
      },
    },
    repositories: {
      summary: async (repository, call) =>
        placeOf(repository) ? undefined : await own.repositories.summary(repository, call),
      delete: async (repository, call) => own.repositories.delete(checkedOwn(repository), call),
    },
  };

  /** As Distribution refuses it. */
  function checkedOwn(repository: string): string {
    const place = placeOf(repository);
    if (place === undefined) return repository;
    const why = `${repository} is a mirror of ${place.upstream.name}, and can only be read`;
    throw new OciError("UNSUPPORTED", why, {
      hint: "push to a repository outside of the prefixes of proxy.upstreams",
    });
  }
}
