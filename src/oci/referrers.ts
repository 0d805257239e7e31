import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { backoffMs } from "../base/retry.ts";
import { type Connection, collectFrom, pullScope, pushScope } from "./connection.ts";
import { algorithmOf, type Digest, digestOf, hexOf } from "./digest.ts";
import { OciError } from "./error.ts";
import { type Descriptor, type ImageIndex, mediaTypes, parseManifest } from "./manifest.ts";
import { fetchManifest, headManifest, pushManifest } from "./manifest-exchange.ts";
import { nextPage } from "./page-link.ts";

export interface NewReferrer {
  artifactType: string;
  annotations: Readonly<Record<string, string>>;
  /** What the manifest has for its config and its one layer; pushed beforehand. */
  content: { mediaType: string; digest: Digest; size: number };
  subject: Pick<Descriptor, "mediaType" | "digest" | "size">;
}

const maximumPageBytes = 4 * 1024 * 1024;
const maximumPages = 100;
/** An index under a tag is written whole each time, by whoever comes last. */
const maximumTagged = 1000;
const attempts = 6;
const settling = { firstMs: 200, maximumMs: 2000 };

export interface ReferrerParts {
  connection: Connection;
  clock: Clock;
}

/**
 * The manifests of a type that name `subject` as theirs (distribution specification 1.1, "Listing
 * Referrers"); of servers that know no such list, those in the index under its tag ("Referrers Tag
 * Schema").
 */
export async function* listReferrers(
  connection: Connection,
  repository: string,
  { subject, artifactType }: { subject: Digest; artifactType: string },
  call: Call,
): AsyncGenerator<Descriptor> {
  const query = new URLSearchParams({ artifactType });
  let page: URL | undefined = connection.urlOf(`${repository}/referrers/${subject}?${query}`);
  for (let count = 1; page !== undefined && count <= maximumPages; count++) {
    const answer = await connection.send(
      {
        what: `list what refers to ${repository}@${subject}`,
        missing: "MANIFEST_UNKNOWN",
        scope: pullScope(repository),
        url: page,
        headers: { accept: mediaTypes.ociIndex },
        accept: [200, 404],
      },
      call,
    );
    const isKnown = answer.status === 200;
    const bytes = await collectFrom(answer, maximumPageBytes, connection.host);
    const found = isKnown
      ? indexIn(bytes, connection.host).manifests
      : await taggedReferrers(connection, repository, subject, call);
    for (const each of found ?? []) if (each.artifactType === artifactType) yield each;
    page = isKnown ? nextPage(answer.headers.link, page) : undefined;
  }
}

/** Pushes a manifest that says something about another one. Resolves to its digest. */
export async function pushReferrer(
  { connection, clock }: ReferrerParts,
  repository: string,
  { artifactType, annotations, content, subject }: NewReferrer,
  call: Call,
): Promise<Digest> {
  const mediaType = mediaTypes.ociManifest;
  const manifest = {
    ...{ schemaVersion: 2, mediaType, artifactType },
    ...{ config: content, layers: [content], subject, annotations },
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = digestOf(bytes);
  const answer = await connection.send(
    {
      method: "PUT",
      what: `push ${repository}@${digest}`,
      missing: "NAME_UNKNOWN",
      scope: pushScope(repository),
      url: connection.urlOf(`${repository}/manifests/${digest}`),
      accept: [200, 201, 202],
      headers: { "content-type": mediaType },
      body: () => bytes,
    },
    call,
  );
  answer.discard();
  if (answer.headers["oci-subject"] === undefined) {
    const entry = { mediaType, digest, size: bytes.length, artifactType, annotations };
    const added = { subject: subject.digest, entry };
    await tagReferrer({ connection, clock }, repository, added, call);
  }
  return digest;
}

/**
 * Adds to the index under the subject's tag. The servers that need it know no conditions, so what is
 * added may be written over by another host that read before: it is looked at again after a while.
 */
async function tagReferrer(
  { connection, clock }: ReferrerParts,
  repository: string,
  { subject, entry }: { subject: Digest; entry: Descriptor },
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
  const tag = `${repository}:${referrersTag(subject)}`;
  throw new OciError("UNAVAILABLE", `others write to ${tag} all the time`, {
    hint: "use a registry that lists referrers by itself, such as dewy registry",
  });
}

async function addToTag(
  connection: Connection,
  repository: string,
  { subject, entry }: { subject: Digest; entry: Descriptor },
  call: Call,
): Promise<void> {
  const present = (await taggedReferrers(connection, repository, subject, call)) ?? [];
  const others = present.filter(({ digest }) => digest !== entry.digest);
  const manifests = [...others, entry].slice(-maximumTagged);
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const manifest = { bytes: Buffer.from(JSON.stringify(index)), mediaType: mediaTypes.ociIndex };
  await pushManifest(connection, repository, referrersTag(subject), manifest, call);
}

/** Distribution answers 500 for a tag that another is just writing. */
function untilLast(attempt: number): (error: unknown) => undefined {
  return (error) => {
    const isPassing = error instanceof OciError && error.status >= 500;
    if (!isPassing || attempt === attempts) throw error;
  };
}

async function taggedReferrers(
  connection: Connection,
  repository: string,
  subject: Digest,
  call: Call,
): Promise<Descriptor[] | undefined> {
  const tag = referrersTag(subject);
  if ((await headManifest(connection, repository, tag, call)) === undefined) return undefined;
  const { bytes, mediaType } = await fetchManifest(connection, repository, tag, call);
  const manifest = parseManifest(bytes, mediaType);
  return manifest.kind === "index" ? (manifest.content.manifests ?? []) : undefined;
}

/** Whether a tag is one of the tag schema, which stands for no version. */
export const isReferrersTag = (tag: string): boolean => /^sha(256|512)-[0-9a-f]{64,}/.test(tag);

const referrersTag = (subject: Digest): string => `${algorithmOf(subject)}-${hexOf(subject)}`;

function indexIn(bytes: Buffer, host: string): ImageIndex {
  const manifest = parseManifest(bytes, mediaTypes.ociIndex);
  if (manifest.kind === "index") return manifest.content;
  throw new OciError("MANIFEST_INVALID", `${host} answers with no list of referrers`);
}
