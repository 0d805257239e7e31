import { randomUUID } from "node:crypto";
import type { Call } from "../../base/call.ts";
import type { OciClient } from "../../oci/client.ts";
import type { Digest } from "../../oci/digest.ts";
import { type Descriptor, parseManifest } from "../../oci/manifest.ts";
import { pushEmptyConfig } from "../../oci/push-release.ts";
import { annotationKeys, emptyConfig } from "../../oci/release-artifact.ts";
import type { AuditRecord, DeploymentReport } from "../release.ts";
import { recordedHost, recordsPerHost } from "./audit-record.ts";

/** Marks the record of a deployment among all that refers to a manifest. */
const artifactType = "application/vnd.dewy.deployment.v1+json";
const hostKey = "vnd.dewy.deployment.host";
const commandKey = "vnd.dewy.deployment.command";
const idKey = "vnd.dewy.deployment.id";

interface RecordedIn {
  client: OciClient;
  repository: string;
}

/** Leaves a record that refers to the manifest `reference` names: of an index, to the index itself. */
export async function recordInRepository(
  { client, repository }: RecordedIn,
  reference: string,
  { tag, host, command, at }: DeploymentReport,
  call: Call,
): Promise<void> {
  const { bytes, mediaType, digest } = await client.manifest(repository, reference, call);
  const place = { client, repository };
  if (await isFull(place, digest, recordedHost(host), call)) return;
  await pushEmptyConfig(client, repository, call);
  const subject = {
    mediaType: parseManifest(bytes, mediaType).mediaType,
    digest,
    size: bytes.length,
  };
  const annotations = {
    [annotationKeys.created]: at.toISOString(),
    [annotationKeys.version]: tag,
    [hostKey]: recordedHost(host),
    [commandKey]: command,
    // Two apps of a host may deploy the same release in the same millisecond: two records.
    [idKey]: randomUUID(),
  };
  const referrer = { artifactType, annotations, content: emptyConfig, subject };
  await client.pushReferrer(repository, referrer, call);
}

/** The records of one manifest; what is not one of ours is left out. */
export async function* repositoryAudits(
  { client, repository }: RecordedIn,
  subject: Digest,
  call: Call,
): AsyncGenerator<AuditRecord> {
  const wanted = { subject, artifactType };
  for await (const referrer of client.referrers(repository, wanted, call)) {
    const record = recordIn(referrer);
    if (record) yield record;
  }
}

function recordIn({ annotations = {} }: Descriptor): AuditRecord | undefined {
  const { [hostKey]: host, [commandKey]: command, [annotationKeys.version]: tag } = annotations;
  const at = new Date(annotations[annotationKeys.created] ?? "");
  if (!host || !command || !tag || Number.isNaN(at.getTime())) return undefined;
  return { host, command, tag, at };
}

/** Not every registry lets a client delete, so here the newest gives way. */
async function isFull(place: RecordedIn, subject: Digest, host: string, call: Call) {
  let count = 0;
  for await (const record of repositoryAudits(place, subject, call)) {
    if (record.host === host) count++;
  }
  return count >= recordsPerHost;
}
