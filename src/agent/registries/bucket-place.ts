import { ConfigError } from "../../base/errors.ts";
import { isBucketName } from "../../objects/bucket-name.ts";
import type { Location } from "./location.ts";

export interface BucketPlace {
  bucket: string;
  /** What the versions are under: empty, or ending in `/`. */
  prefix: string;
}

/** `s3://region/bucket[/prefix]`. @throws {ConfigError} */
export function s3Place(location: Location): BucketPlace & { region: string } {
  const [region = "", bucket = "", ...prefix] = segmentsOf(location);
  if (!/^[a-z0-9-]+$/.test(region) || !isBucketName(bucket)) {
    throw new ConfigError(`--registry: s3://${location.place} is not a region and a bucket`, {
      hint: "write it as s3://region/bucket/prefix, such as s3://eu-west-1/releases/app",
    });
  }
  return { region, bucket, prefix: prefixOf(prefix, location) };
}

/**
 * `gs://bucket[/prefix]` or `gs://project/bucket/prefix`.
 *
 * Names of projects and of buckets look the same, so it is their number that decides: with three
 * parts or more the first is the project. Asking which of them is a bucket would be worse than a
 * rule: the names of buckets belong to whoever takes them first, and a stranger's bucket that is
 * called as somebody's project could hand out releases. A bucket's prefix of several parts is
 * written without a project by escaping: `gs://bucket/team%2Fapp`.
 *
 * @throws {ConfigError}
 */
export function gcsPlace(location: Location): BucketPlace {
  const segments = segmentsOf(location);
  const hasProject = segments.length > 2;
  const [bucket = "", ...prefix] = hasProject ? segments.slice(1) : segments;
  const isProject =
    !hasProject || /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(segments[0] ?? "");
  if (!isBucketName(bucket) || !isProject) {
    const escaped = `${segments[0]}/${segments.slice(1).join("%2F")}`;
    throw new ConfigError(
      `--registry: gs://${location.place} is not a bucket${hasProject ? " of a project" : ""}`,
      {
        hint: hasProject
          ? `write it as gs://project/bucket/prefix, or without a project as gs://${escaped}`
          : "write it as gs://bucket/prefix or gs://project/bucket/prefix",
      },
    );
  }
  return { bucket, prefix: prefixOf(prefix, location) };
}

function segmentsOf({ scheme, place }: Location): string[] {
  try {
    return place.split("/").map(decodeURIComponent);
  } catch (cause) {
    throw new ConfigError(`--registry: ${scheme}://${place} has a % that escapes nothing`, {
      cause,
      hint: "write a % itself as %25",
    });
  }
}

function prefixOf(segments: readonly string[], { scheme, place }: Location): string {
  const parts = segments
    .flatMap((segment) => segment.split("/"))
    .filter((part, index, all) => part !== "" || index < all.length - 1);
  if (parts.some((part) => ["", ".", ".."].includes(part))) {
    throw new ConfigError(`--registry: ${scheme}://${place} has an empty part, or one of dots`, {
      hint: "leave it out: a prefix such as team/app",
    });
  }
  return parts.map((part) => `${part}/`).join("");
}
