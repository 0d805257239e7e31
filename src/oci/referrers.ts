import type { Call } from "../base/call.ts";
import { type Connection, collectFrom, pullScope, pushScope } from "./connection.ts";
import { type Digest, digestOf } from "./digest.ts";
import { OciError } from "./error.ts";
import { type Descriptor, type ImageIndex, mediaTypes, parseManifest } from "./manifest.ts";
import { nextPage } from "./page-link.ts";
import { type ReferrerParts, taggedReferrers, tagReferrer } from "./referrers-tag.ts";

export interface NewReferrer {
  artifactType: string;
  annotations: Readonly<Record<string, string>>;
  /** What the manifest has for its config and its one layer; pushed beforehand. */
  content: { mediaType: string; digest: Digest; size: number };
  subject: Pick<Descriptor, "mediaType" | "digest" | "size">;
}

const maximumPageBytes = 4 * 1024 * 1024;
const maximumPages = 100;

/**
 * The manifests of a type that name `subject` as theirs (distribution specification 1.1, "Listing
 * Referrers"); of servers that know no such list, those in the index under its tag ("Referrers Tag
 * Schema").
 */
export async function* listReferrers(
  connection: Connection,
  repository: string,
  { subject, artifactType }: { subject: Digest; artifactType?: string | undefined },
  call: Call,
): AsyncGenerator<Descriptor> {
  const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType })}`;
  let page: URL | undefined = connection.urlOf(`${repository}/referrers/${subject}${query}`);
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
    for (const each of found ?? []) {
      if (artifactType === undefined || each.artifactType === artifactType) yield each;
    }
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

function indexIn(bytes: Buffer, host: string): ImageIndex {
  const manifest = parseManifest(bytes, mediaTypes.ociIndex);
  if (manifest.kind === "index") return manifest.content;
  throw new OciError("MANIFEST_INVALID", `${host} answers with no list of referrers`);
}
