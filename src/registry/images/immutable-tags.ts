import type { Call } from "../../base/call.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { isTag } from "../../oci/reference.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { ManifestPut } from "./manifests.ts";
import { tagsPath } from "./paths.ts";
import type { Tags } from "./tags.ts";

/** Says which tags keep the meaning that they were given first. */
export interface ImmutableTags {
  /** What makes it immutable, as it was written; `undefined` when nothing does. */
  ruleFor(repository: string, tag: string): string | undefined;
}

export interface ImmutableTagsParts {
  storage: StorageDriver;
  tags: Pick<Tags, "read" | "of">;
  immutable: ImmutableTags | undefined;
}

/** Each method but the first throws `DENIED` when a tag that is immutable would change. */
export interface TagGuard {
  /** Whether two who push these tags at once must not run side by side. */
  isNeeded(repository: string, tags: readonly string[]): boolean;
  checkPut(repository: string, put: ManifestPut, call: Call): Promise<void>;
  checkUntagging(repository: string, tag: string, call: Call): Promise<void>;
  checkDeletion(repository: string, digest: Digest, call: Call): Promise<void>;
  checkRemoval(repository: string, call: Call): Promise<void>;
}

/** Keeps immutable tags from being changed. Whoever calls holds the lock of the repository. */
export function tagGuardOn({ storage, tags, immutable }: ImmutableTagsParts): TagGuard {
  const ruleFor = (repository: string, tag: string) => immutable?.ruleFor(repository, tag);

  return {
    isNeeded: (repository, names) => names.some((tag) => ruleFor(repository, tag) !== undefined),

    async checkPut(repository, { bytes, expected, tags: names }, call) {
      const locked = names.filter((tag) => ruleFor(repository, tag) !== undefined);
      if (locked.length === 0) return;
      const digest = expected ?? digestOf(bytes);
      for (const tag of locked) {
        const before = await tags.read(repository, tag, call);
        if (before !== undefined && before !== digest) throw denied(repository, tag, "moved");
      }
    },

    async checkUntagging(repository, tag, call) {
      if (ruleFor(repository, tag) === undefined) return;
      if (await tags.read(repository, tag, call)) throw denied(repository, tag, "deleted");
    },

    async checkDeletion(repository, digest, call) {
      if (immutable === undefined) return;
      for await (const tag of tags.of(repository, digest, call)) {
        if (ruleFor(repository, tag)) throw denied(repository, tag, "deleted with its manifest");
      }
    },

    async checkRemoval(repository, call) {
      if (immutable === undefined) return;
      for await (const tag of storage.list(tagsPath(repository), call)) {
        if (!isTag(tag) || ruleFor(repository, tag) === undefined) continue;
        if (await tags.read(repository, tag, call)) {
          throw denied(repository, tag, "deleted with its repository");
        }
      }
    },
  };

  function denied(repository: string, tag: string, what: string): OciError {
    const rule = ruleFor(repository, tag);
    const why = `the tag ${tag} is immutable (${rule}) and may not be ${what}`;
    return new OciError("DENIED", why, { detail: { tag, immutable: rule } });
  }
}
