import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { backoffMs } from "../base/retry.ts";
import type { Connection } from "./connection.ts";
import { algorithmOf, type Digest, hexOf } from "./digest.ts";
import { OciError } from "./error.ts";
import { type Descriptor, mediaTypes, parseManifest } from "./manifest.ts";
import { fetchManifest, headManifest, pushManifest } from "./manifest-exchange.ts";

/** How what refers to a manifest is found at servers that keep no list of it. */
export interface ReferrerParts {
  connection: Connection;
  clock: Clock;
}

export interface TaggedReferrer {
  subject: Digest;
  entry: Descriptor & { artifactType: string };
}

/** Of one type: an index is written whole each time. */
const maximumTagged = 1000;
const attempts = 6;
const settling = { firstMs: 200, maximumMs: 2000 };

/** Whether a tag is one of the tag schema, or of what others keep in its way: none is a version. */
export const isReferrersTag = (tag: string): boolean => /^sha(256|512)-[0-9a-f]{64,}/.test(tag);

/**
 * The entries of the index under the subject's tag (distribution specification 1.1, "Referrers Tag
 * Schema"), whoever left them.
 */
export async function taggedReferrers(
  connection: Connection,
  repository: string,
  subject: Digest,
  call: Call,
): Promise<Descriptor[]> {
  const index = await indexUnder(connection, repository, subject, call);
  return index?.entries ?? [];
}

/**
 * Adds to that index. The servers that need it know no conditions, so what is added may be written
 * over by another host that read before: it is looked at again after a while.
 */
export async function tagReferrer(
  { connection, clock }: ReferrerParts,
  repository: string,
  { subject, entry }: TaggedReferrer,
  call: Call,
): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    await addToTag(connection, repository, { subject, entry }, call).catch(untilLast(attempt));
    await clock.sleep(backoffMs(settling, attempt), call);
    const present = await taggedReferrers(connection, repository, subject, call).catch(
      untilLast(attempt),
    );
    if (present?.some(({ digest }) => digest === entry.digest)) return;
  }
  throw new OciError(
    "UNAVAILABLE",
    `others write to ${repository}:${referrersTag(subject)} all the time`,
    { hint: "use a registry that lists referrers by itself, such as dewy registry" },
  );
}

async function addToTag(
  connection: Connection,
  repository: string,
  { subject, entry }: TaggedReferrer,
  call: Call,
): Promise<void> {
  const index = await indexUnder(connection, repository, subject, call);
  const entries = (index?.entries ?? []).filter(({ digest }) => digest !== entry.digest);
  const alike = entries.filter(({ artifactType }) => artifactType === entry.artifactType);
  const surplus = new Set(alike.slice(0, Math.max(0, alike.length + 1 - maximumTagged)));
  const manifests = [...entries.filter((each) => !surplus.has(each)), entry];
  const mediaType = mediaTypes.ociIndex;
  const content = { schemaVersion: 2, mediaType, ...index?.content, manifests };
  const bytes = Buffer.from(JSON.stringify(content));
  await pushManifest(connection, repository, referrersTag(subject), { bytes, mediaType }, call);
}

/** Distribution answers 500 for a tag that another is just writing. */
function untilLast(attempt: number): (error: unknown) => undefined {
  return (error) => {
    const isPassing = error instanceof OciError && error.status >= 500;
    if (!isPassing || attempt === attempts) throw error;
  };
}

/** As it was written: signatures and the like of others may carry what we do not know. */
async function indexUnder(
  connection: Connection,
  repository: string,
  subject: Digest,
  call: Call,
): Promise<{ content: object; entries: Descriptor[] } | undefined> {
  const tag = referrersTag(subject);
  if ((await headManifest(connection, repository, tag, call)) === undefined) return undefined;
  const { bytes, mediaType } = await fetchManifest(connection, repository, tag, call);
  if (parseManifest(bytes, mediaType).kind !== "index") {
    throw new OciError("MANIFEST_INVALID", `${repository}:${tag} is no list of referrers`, {
      hint: "remove the tag, which is one that clients keep such lists under",
    });
  }
  const content = JSON.parse(bytes.toString()) as { manifests: Descriptor[] | null };
  return { content, entries: content.manifests ?? [] };
}

const referrersTag = (subject: Digest): string => `${algorithmOf(subject)}-${hexOf(subject)}`;
