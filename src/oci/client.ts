import * as v from "valibot";
import { type Bytes, BytesError, collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { HttpAnswer, HttpClient } from "../base/http-client.ts";
import { pushBlob } from "./blob-upload.ts";
import { openConnection } from "./connection.ts";
import type { CredentialSource } from "./credentials.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "./digest.ts";
import { apiHostOf } from "./docker-hub.ts";
import { OciError } from "./error.ts";
import { manifestMediaTypes } from "./manifest.ts";
import { nextPage } from "./page-link.ts";
import { isLoopback } from "./reference.ts";

export interface OciClientOptions {
  /** `host[:port]` as people write it; Docker Hub under any of its names. */
  host: string;
  /** Plain HTTP. This machine itself is always spoken to plainly. */
  plainHttp?: boolean;
  credentials: CredentialSource;
  http: HttpClient;
  clock: Clock;
}

export interface TagList {
  tags: string[];
  /** To ask with next time; only given when the whole list was one page. */
  entityTag: string | undefined;
}

export interface ManifestHead {
  /** `undefined` from the few servers that do not tell. */
  digest: Digest | undefined;
  mediaType: string;
}

export interface FetchedManifest {
  bytes: Buffer;
  /** What it travelled under; `undefined` when the server did not say. */
  mediaType: string | undefined;
  digest: Digest;
}

/** Bytes that can be read again, when the first sending has to be repeated. */
export interface BlobSource {
  digest: Digest;
  sizeBytes: number;
  open(): Bytes;
}

/**
 * One registry, by the OCI Distribution Specification 1.1.
 *
 * Every method rejects with an `OciError` for what the server refuses, with an `HttpError` when
 * there is no whole answer, and with the reason of the signal.
 */
export interface OciClient {
  readonly host: string;
  /**
   * Every tag of `repository`, in the server's order. With `unlessMatch`, the entity tag of an
   * earlier list, `undefined` says that nothing has changed.
   */
  tags(
    repository: string,
    call: Call & { unlessMatch?: string | undefined },
  ): Promise<TagList | undefined>;
  /** What `reference` (a tag or a digest) points at; `undefined` when there is none. */
  headManifest(
    repository: string,
    reference: string,
    call: Call,
  ): Promise<ManifestHead | undefined>;
  /** The manifest's own bytes, checked against its digest. @throws {OciError} `MANIFEST_UNKNOWN` */
  manifest(repository: string, reference: string, call: Call): Promise<FetchedManifest>;
  /** A blob from byte `from` on, or from 0 where the server cannot; the caller checks the digest. */
  openBlob(
    repository: string,
    digest: Digest,
    call: Call & { from: number },
  ): Promise<{ bytes: Bytes; from: number }>;
  hasBlob(repository: string, digest: Digest, call: Call): Promise<boolean>;
  /** `progress` is told how many bytes were handed over, of which sending. */
  pushBlob(
    repository: string,
    source: BlobSource,
    call: Call & { progress?: (bytes: number) => void },
  ): Promise<void>;
  /** `reference` is a tag or the manifest's digest. */
  pushManifest(
    repository: string,
    reference: string,
    manifest: { bytes: Uint8Array; mediaType: string },
    call: Call,
  ): Promise<Digest>;
}

const TagPage = v.object({ tags: v.optional(v.nullable(v.array(v.string()))) });

const maximumManifestBytes = 4 * 1024 * 1024;
const maximumPageBytes = 8 * 1024 * 1024;
const maximumPages = 1000;

export function openOciClient({ plainHttp = false, ...options }: OciClientOptions): OciClient {
  const host = apiHostOf(options.host);
  const isPlain = plainHttp || isLoopback(host);
  const connection = openConnection({ ...options, host, plainHttp: isPlain });

  return {
    host,

    async tags(repository, { signal, unlessMatch }) {
      const tags: string[] = [];
      let page: URL | undefined = connection.urlOf(`${repository}/tags/list`);
      let entityTag: string | undefined;
      for (let count = 1; page !== undefined; count++) {
        const answer = await pageOf(
          page,
          repository,
          count === 1 ? unlessMatch : undefined,
          signal,
        );
        if (answer === undefined) return undefined;
        tags.push(...(await tagsIn(answer, host)));
        page = nextPage(answer.headers.link, page);
        entityTag = count === 1 && page === undefined ? answer.headers.etag : undefined;
        if (count === maximumPages && page) throw endless(host);
      }
      return { tags, entityTag };
    },

    async headManifest(repository, reference, call) {
      const answer = await connection.send(manifestRequest("HEAD", repository, reference), call);
      answer.discard();
      if (answer.status === 404) return undefined;
      const { "content-type": type = "", "docker-content-digest": digest = "" } = answer.headers;
      return { digest: isDigest(digest) ? digest : undefined, mediaType: bareType(type) };
    },

    async manifest(repository, reference, call) {
      const answer = await connection.send(manifestRequest("GET", repository, reference), call);
      const bytes = await collectFrom(answer, maximumManifestBytes, host);
      const type = bareType(answer.headers["content-type"] ?? "");
      const mediaType = manifestMediaTypes.includes(type) ? type : undefined;
      const named = isDigest(reference) ? reference : answer.headers["docker-content-digest"];
      return { bytes, mediaType, digest: checkedDigest(bytes, named, host) };
    },

    async openBlob(repository, digest, { signal, from }) {
      const request = {
        what: `pull ${digest} of ${repository}`,
        missing: "BLOB_UNKNOWN",
        scope: pull(repository),
        url: connection.urlOf(`${repository}/blobs/${digest}`),
        accept: [200, 206, 416],
      } as const;
      const range = from > 0 ? { range: `bytes=${from}-` } : {};
      let answer = await connection.send({ ...request, headers: range }, { signal });
      if (answer.status === 416) {
        answer.discard(); // it is shorter than what we have: begin again, the digest will tell
        answer = await connection.send({ ...request, accept: [200] }, { signal });
      }
      return { bytes: answer.body, from: answer.status === 206 ? startOf(answer, from, host) : 0 };
    },

    async hasBlob(repository, digest, call) {
      const answer = await connection.send(
        {
          method: "HEAD",
          what: `look for ${digest} in ${repository}`,
          missing: "BLOB_UNKNOWN",
          scope: pullAndPush(repository),
          url: connection.urlOf(`${repository}/blobs/${digest}`),
          accept: [200, 404],
        },
        call,
      );
      answer.discard();
      return answer.status === 200;
    },

    pushBlob: (repository, source, call) => pushBlob(connection, repository, source, call),

    async pushManifest(repository, reference, { bytes, mediaType }, call) {
      const answer = await connection.send(
        {
          method: "PUT",
          what: `push ${nameOf(repository, reference)}`,
          missing: "NAME_UNKNOWN",
          scope: pullAndPush(repository),
          url: connection.urlOf(`${repository}/manifests/${reference}`),
          accept: [200, 201, 202],
          headers: { "content-type": mediaType },
          body: () => bytes,
        },
        call,
      );
      answer.discard();
      const named = isDigest(reference) ? reference : answer.headers["docker-content-digest"];
      return checkedDigest(bytes, named, host);
    },
  };

  function manifestRequest(method: "HEAD" | "GET", repository: string, reference: string) {
    return {
      method,
      what: `pull ${nameOf(repository, reference)}`,
      missing: "MANIFEST_UNKNOWN",
      scope: pull(repository),
      url: connection.urlOf(`${repository}/manifests/${reference}`),
      headers: { accept: manifestMediaTypes.join(", ") },
      accept: method === "HEAD" ? [200, 404] : [200],
    } as const;
  }

  async function pageOf(
    url: URL,
    repository: string,
    unlessMatch: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer | undefined> {
    const answer = await connection.send(
      {
        what: `list the tags of ${repository}`,
        missing: "NAME_UNKNOWN",
        scope: pull(repository),
        url,
        headers: unlessMatch === undefined ? {} : { "if-none-match": unlessMatch },
        accept: [200, 304],
      },
      { signal },
    );
    if (answer.status === 200) return answer;
    answer.discard();
    return undefined;
  }
}

async function tagsIn(answer: HttpAnswer, host: string): Promise<string[]> {
  const text = (await collectFrom(answer, maximumPageBytes, host)).toString();
  try {
    return v.parse(TagPage, JSON.parse(text)).tags ?? [];
  } catch (error) {
    throw new OciError("UNKNOWN", `${host} answered with something that is no list of tags`, {
      cause: error,
      hint: `check that ${host} is an OCI registry, and what a proxy before it answers`,
    });
  }
}

async function collectFrom(answer: HttpAnswer, maximumBytes: number, host: string) {
  try {
    return await collect(answer.body, maximumBytes);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    throw new OciError("SIZE_INVALID", `${host} answers with ${error.message}`, {
      cause: error,
      hint: `check that ${host} is an OCI registry`,
    });
  }
}

function checkedDigest(bytes: Uint8Array, expected: string | undefined, host: string): Digest {
  if (expected === undefined || !isDigest(expected)) return digestOf(bytes);
  const actual = digestOf(bytes, algorithmOf(expected));
  if (actual === expected) return actual;
  throw new OciError("DIGEST_INVALID", `${host} says ${expected}, but the bytes are ${actual}`, {
    hint: "try again; something between here and the registry changes what it sends",
  });
}

/** A server may begin earlier than it was asked to, and says so (RFC 9110, 14.4). */
function startOf({ headers }: HttpAnswer, asked: number, host: string): number {
  const [, start] = /^bytes (\d+)-/.exec(headers["content-range"] ?? "") ?? [];
  if (start !== undefined && Number(start) === asked) return asked;
  throw new OciError("RANGE_INVALID", `${host} was asked to begin at ${asked}, not at ${start}`, {
    hint: "try again; the next attempt starts from the beginning",
  });
}

const pull = (repository: string) => `repository:${repository}:pull`;
const pullAndPush = (repository: string) => `repository:${repository}:pull,push`;

function nameOf(repository: string, reference: string): string {
  return repository + (isDigest(reference) ? "@" : ":") + reference;
}

function bareType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

function endless(host: string): OciError {
  return new OciError("UNKNOWN", `${host} lists tags without end`, {
    hint: "follow a repository with fewer tags, or repair the registry's paging",
  });
}
