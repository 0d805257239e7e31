import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { HttpClient } from "../base/http-client.ts";
import { hasBlob, type OpenedBlob, openBlob, statBlob } from "./blob-download.ts";
import { type BlobSource, pushBlob } from "./blob-upload.ts";
import { openConnection } from "./connection.ts";
import type { CredentialSource } from "./credentials.ts";
import type { Digest } from "./digest.ts";
import { apiHostOf } from "./docker-hub.ts";
import type { Descriptor } from "./manifest.ts";
import {
  type FetchedManifest,
  fetchManifest,
  headManifest,
  type ManifestHead,
  pushManifest,
} from "./manifest-exchange.ts";
import { isLoopback } from "./reference.ts";
import { listReferrers, type NewReferrer, pushReferrer } from "./referrers.ts";
import { listTagPage, listTags, type TagList, type TagPageRequest } from "./tag-list.ts";

export type { BlobSource } from "./blob-upload.ts";
export type { FetchedManifest, ManifestHead } from "./manifest-exchange.ts";
export type { NewReferrer } from "./referrers.ts";
export type { TagList, TagPageRequest } from "./tag-list.ts";

export interface OciClientOptions {
  /** `host[:port]` as people write it; Docker Hub under any of its names. */
  host: string;
  /** Plain HTTP. Unless told, only this machine itself is spoken to plainly. */
  plainHttp?: boolean | undefined;
  /** Where the API begins, for a registry that is not at the root of its host: `/path`. */
  basePath?: string;
  credentials: CredentialSource;
  http: HttpClient;
  clock: Clock;
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
  /** At most `limit` tags that come after `last`, in order, and whether there are more. */
  tagPage(
    repository: string,
    page: TagPageRequest,
    call: Call,
  ): Promise<{ names: string[]; more: boolean }>;
  /**
   * What `reference` (a tag or a digest) points at; `undefined` when there is none. With `known`,
   * what it pointed at earlier, the server may say that nothing has changed.
   */
  headManifest(
    repository: string,
    reference: string,
    call: Call & { known?: Digest | undefined },
  ): Promise<ManifestHead | undefined>;
  /** The manifest's own bytes, checked against its digest. @throws {OciError} `MANIFEST_UNKNOWN` */
  manifest(repository: string, reference: string, call: Call): Promise<FetchedManifest>;
  /** A blob from byte `from` on, or from 0 where the server cannot; the caller checks the digest. */
  openBlob(repository: string, digest: Digest, call: Call & { from: number }): Promise<OpenedBlob>;
  /** The size of a blob, as far as the server tells it; `undefined` when it has none. */
  statBlob(
    repository: string,
    digest: Digest,
    call: Call,
  ): Promise<{ size: number | undefined } | undefined>;
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
  /**
   * The manifests that refer to `subject`, all or those of a type, in no order; nothing when there
   * are none.
   */
  referrers(
    repository: string,
    wanted: { subject: Digest; artifactType?: string | undefined },
    call: Call,
  ): AsyncIterable<Descriptor>;
  /** Pushes a manifest that refers to another one. Its content is there already. */
  pushReferrer(repository: string, referrer: NewReferrer, call: Call): Promise<Digest>;
}

export function openOciClient({
  plainHttp,
  basePath = "",
  ...options
}: OciClientOptions): OciClient {
  const host = apiHostOf(options.host);
  const isPlain = plainHttp ?? isLoopback(host);
  const connection = openConnection({ ...options, host, plainHttp: isPlain, basePath });

  return {
    host,
    tags: (repository, call) => listTags(connection, repository, call),
    tagPage: (repository, page, call) => listTagPage(connection, repository, page, call),
    headManifest: (repository, reference, call) =>
      headManifest(connection, repository, reference, call),
    manifest: (repository, reference, call) =>
      fetchManifest(connection, repository, reference, call),
    openBlob: (repository, digest, call) => openBlob(connection, repository, digest, call),
    statBlob: (repository, digest, call) => statBlob(connection, repository, digest, call),
    hasBlob: (repository, digest, call) => hasBlob(connection, repository, digest, call),
    pushBlob: (repository, source, call) => pushBlob(connection, repository, source, call),
    pushManifest: (repository, reference, manifest, call) =>
      pushManifest(connection, repository, reference, manifest, call),
    referrers: (repository, wanted, call) => listReferrers(connection, repository, wanted, call),
    pushReferrer: (repository, referrer, call) =>
      pushReferrer({ connection, clock: options.clock }, repository, referrer, call),
  };
}
