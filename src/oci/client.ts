import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { HttpClient } from "../base/http-client.ts";
import { hasBlob, openBlob } from "./blob-download.ts";
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
import { listTags, type TagList } from "./tag-list.ts";

export type { BlobSource } from "./blob-upload.ts";
export type { FetchedManifest, ManifestHead } from "./manifest-exchange.ts";
export type { NewReferrer } from "./referrers.ts";
export type { TagList } from "./tag-list.ts";

export interface OciClientOptions {
  /** `host[:port]` as people write it; Docker Hub under any of its names. */
  host: string;
  /** Plain HTTP. This machine itself is always spoken to plainly. */
  plainHttp?: boolean;
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
  /** The manifests of a type that refer to `subject`, in no order; nothing when there are none. */
  referrers(
    repository: string,
    wanted: { subject: Digest; artifactType: string },
    call: Call,
  ): AsyncIterable<Descriptor>;
  /** Pushes a manifest that refers to another one. Its content is there already. */
  pushReferrer(repository: string, referrer: NewReferrer, call: Call): Promise<Digest>;
}

export function openOciClient({ plainHttp = false, ...options }: OciClientOptions): OciClient {
  const host = apiHostOf(options.host);
  const isPlain = plainHttp || isLoopback(host);
  const connection = openConnection({ ...options, host, plainHttp: isPlain });

  return {
    host,
    tags: (repository, call) => listTags(connection, repository, call),
    headManifest: (repository, reference, call) =>
      headManifest(connection, repository, reference, call),
    manifest: (repository, reference, call) =>
      fetchManifest(connection, repository, reference, call),
    openBlob: (repository, digest, call) => openBlob(connection, repository, digest, call),
    hasBlob: (repository, digest, call) => hasBlob(connection, repository, digest, call),
    pushBlob: (repository, source, call) => pushBlob(connection, repository, source, call),
    pushManifest: (repository, reference, manifest, call) =>
      pushManifest(connection, repository, reference, manifest, call),
    referrers: (repository, wanted, call) => listReferrers(connection, repository, wanted, call),
    pushReferrer: (repository, referrer, call) =>
      pushReferrer({ connection, clock: options.clock }, repository, referrer, call),
  };
}
