import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { DewyError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Mode } from "./event.ts";

/** An operating system and architecture, in the words of the image index (Go's GOOS and GOARCH). */
export interface Platform {
  os: string;
  architecture: string;
  /** `v7` in `arm/v7`. */
  variant?: string | undefined;
}

/** One file of a release. */
export interface Artifact {
  /** The file's name, without a directory. */
  name: string;
  /** Where the registry says which platform the file is for; otherwise its name has to. */
  platform: Platform | undefined;
  sizeBytes: number | undefined;
  /** Of the file's bytes, where the registry tells. */
  digest: Digest | undefined;
  /**
   * Changes whenever the bytes behind the name may have: the digest where there is one, else what
   * comes nearest. It is how a tag that was published again is noticed.
   */
  identity: string;
  /** What the registry needs to open it again; a URL without credentials. */
  url: string;
}

/** What a registry announces under one tag. */
export interface Release {
  tag: string;
  artifacts: readonly Artifact[];
  publishedAt: Date | undefined;
}

/** The bytes of an artifact, beginning at `from`: 0 where the source cannot begin elsewhere. */
export interface OpenedArtifact {
  bytes: Bytes;
  from: number;
}

/** Something that was said about a release afterwards, beside its files: a signature, an attestation. */
export interface Attachment {
  /** What it is about: the manifest that names the artifact, or the artifact itself. */
  subject: Digest;
  artifactType: string | undefined;
  /** Of `bytes`. */
  mediaType: string;
  annotations: Readonly<Record<string, string>>;
  bytes: Buffer;
}

/** How one attempt to deploy ended. */
export interface DeploymentReport {
  tag: string;
  /** The artifact's. */
  identity: string;
  command: Mode;
  /** Where it was deployed. */
  host: string;
  /** When it ended. */
  at: Date;
  /** What went wrong, in a sentence; `undefined` when nothing did. */
  error: string | undefined;
}

/** What a registry keeps of a deployment that succeeded. */
export interface AuditRecord {
  host: string;
  command: string;
  tag: string;
  at: Date;
}

/**
 * Announces what to run, and hands it out.
 *
 * Polled every few seconds by every host, so `tags` and `release` must cost nothing that is counted
 * while nothing has changed (a conditional request, or a HEAD), and never more than a few kilobytes
 * of memory per release.
 */
export interface ReleaseRegistry {
  /** For logs and errors: the URL it was opened with, without secrets. */
  readonly name: string;
  /** What the answers depend on beside the name, such as the platform that asks; no secret. */
  readonly scope?: string;
  /** Every tag there is, in no order. */
  tags(call: Call): Promise<readonly string[]>;
  /** `undefined` when there is no such tag (any more). */
  release(tag: string, call: Call): Promise<Release | undefined>;
  /** Opens an artifact that `release` returned. */
  open(artifact: Artifact, call: Call & { from: number }): Promise<OpenedArtifact>;
  /**
   * Only where something may be attached to a release beside its files. Each is small, and none is
   * trusted; that `subject` stands for the artifact is checked here, of whatever `release` said.
   */
  attachments?(of: { tag: string; artifact: Artifact }, call: Call): AsyncIterable<Attachment>;
  /** Only where the registry wants to be told how deployments end. */
  report?(report: DeploymentReport, call: Call): Promise<void>;
  /** Only where the registry keeps record of deployments: those of the newest tags first. */
  audits?(call: Call): AsyncIterable<AuditRecord>;
  close(): Promise<void>;
}

/** `retryAfterMs` is the time the registry asked us to stay away. */
export class ReleaseRegistryError extends DewyError<
  "UNAVAILABLE" | "UNAUTHORIZED" | "NOT_FOUND" | "RATE_LIMITED" | "INVALID_ANSWER"
> {
  retryAfterMs: number | undefined;
}
