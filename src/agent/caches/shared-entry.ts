import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import * as v from "valibot";
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { ReleaseRegistryError } from "../release.ts";

/** What an entry may be when it is unpacked. */
const maximumPlainBytes = 16 * 1024 * 1024;

const Text = v.pipe(v.string(), v.maxLength(4096));
const FileName = v.pipe(Text, v.regex(/^(?!\.{1,2}$)[^/\0]+$/, "is not the name of a file"));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Milliseconds = v.pipe(v.number(), v.finite(), v.minValue(0));

const Artifact = v.object({
  name: FileName,
  platform: v.optional(v.object({ os: Text, architecture: Text, variant: v.optional(Text) })),
  sizeBytes: v.optional(Count),
  digest: v.optional(v.custom<Digest>((text) => isDigest(String(text)), "is not a digest")),
  identity: Text,
  url: Text,
});

/** The answer to `tags`. */
export const SharedTags = v.array(Text);

const Release = v.object({
  tag: Text,
  publishedAt: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  artifacts: v.array(Artifact),
});

/** The answer to `release`; `null` where there is no such tag. */
export const SharedRelease = v.nullable(
  v.pipe(
    Release,
    v.transform(({ tag, publishedAt, artifacts }) => ({
      tag,
      publishedAt: publishedAt === undefined ? undefined : new Date(publishedAt),
      artifacts: artifacts.map(({ platform, sizeBytes, digest, ...artifact }) => {
        return { ...artifact, platform, sizeBytes, digest };
      }),
    })),
  ),
);

const codes = [
  "UNAVAILABLE",
  "UNAUTHORIZED",
  "NOT_FOUND",
  "RATE_LIMITED",
  "INVALID_ANSWER",
] as const satisfies readonly ReleaseRegistryError["code"][];

const Failure = v.object({
  code: v.picklist(codes),
  message: Text,
  hint: v.optional(Text),
  /** Until then nobody asks again, counted from the writing of the entry. */
  pauseMs: Milliseconds,
});

const Entry = v.object({
  version: v.literal(1),
  /** The last answer, and how old it was when this entry was written. */
  answer: v.optional(v.object({ value: v.unknown(), ageMs: Milliseconds })),
  /** In a row. */
  failures: Count,
  failure: v.optional(Failure),
  /** Who asks the registry now; over after the lease, counted from the writing of the entry. */
  claim: v.optional(Text),
  /** The answer is longer than an entry may be: everybody asks alone. */
  alone: v.optional(v.literal(true)),
});

/** What went wrong when the registry was last asked, for all who share the answer. */
export type SharedFailure = v.InferOutput<typeof Failure>;

/**
 * One question to a registry, as the fleet shares it. No time of day is in it: whoever reads it
 * counts from its age, which the store tells.
 */
export type SharedEntry = v.InferOutput<typeof Entry>;

/** Packed, as a list of some ten thousand tags would not fit otherwise. */
export async function packEntry(entry: SharedEntry): Promise<Buffer> {
  return await promisify(gzip)(JSON.stringify(entry));
}

/** @throws whatever is wrong with it, when somebody else wrote there or half of it is missing */
export async function unpackEntry(bytes: Buffer): Promise<SharedEntry> {
  const text = await promisify(gunzip)(bytes, { maxOutputLength: maximumPlainBytes });
  return v.parse(Entry, JSON.parse(text.toString()));
}
