import { type Digest, isDigest } from "../../oci/digest.ts";
import { type Manifest, parseManifest } from "../../oci/manifest.ts";
import type { Answer, Inquiry } from "../api/exchange.ts";
import type { Route } from "../api/routes.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { StoredManifest } from "../images/manifest-cache.ts";
import type { EventTarget, Happening } from "./event.ts";

export interface TargetOptions {
  /** Whether events about manifests name what they are made of. */
  includeReferences: boolean;
  /** Whether a `HEAD` counts as a pull. */
  headPulls: boolean;
}

type Store = Pick<ImageStore, "blobs" | "manifests" | "tags">;

/** A request, its answer, and the tags that went with a manifest. */
export interface Answered {
  route: Route;
  inquiry: Inquiry;
  answer: Answer;
  tags: readonly string[];
}

/** With a manifest go all of its tags; of more than this, only these are told. */
const mostTags = 1_000;
const blobType = "application/octet-stream";

/** The tags that mean the manifest which is about to be deleted. */
export async function tagsToGo(route: Route, { request, call }: Inquiry, store: Store) {
  const tags: string[] = [];
  if (route.kind !== "manifest" || request.method !== "DELETE") return tags;
  if (!isDigest(route.reference)) return tags;
  for await (const tag of store.tags.of(route.repository, route.reference, call)) {
    if (tags.push(tag) === mostTags) break;
  }
  return tags;
}

/** What happened, as Distribution tells it; nothing when the answer is that nothing did. */
export async function targetsOf(
  answered: Answered,
  store: Store,
  options: TargetOptions,
): Promise<Happening[]> {
  const { route, inquiry, answer } = answered;
  const { method = "" } = inquiry.request;
  if (method === "HEAD" && !options.headPulls) return [];
  switch (route.kind) {
    case "manifest":
      if (method === "DELETE") return answer.status === 202 ? manifestGone(answered, route) : [];
      if (method === "PUT") return manifestPushed(answered, route, store, options);
      return manifestPulled(answered, route, options);
    case "blob":
      if (method === "DELETE") return answer.status === 202 ? [blobGone(route)] : [];
      return blobPulled(answered, route);
    case "repository":
      return answer.status === 202 ? [repositoryGone(route)] : [];
    case "upload":
    case "uploads":
      return blobArrived(answered, route, store);
    default:
      return [];
  }
}

type ManifestRoute = Extract<Route, { kind: "manifest" }>;
type BlobRoute = Extract<Route, { kind: "blob" }>;
type UploadRoute = Extract<Route, { kind: "upload" | "uploads" }>;

async function manifestPushed(
  { inquiry, answer }: Answered,
  { repository, reference }: ManifestRoute,
  { manifests }: Store,
  options: TargetOptions,
): Promise<Happening[]> {
  const digest = digestIn(answer);
  if (answer.status !== 201 || digest === undefined) return [];
  const manifest = await manifests.read(repository, digest, inquiry.call);
  if (manifest === undefined) return [];
  const target = manifestTarget(repository, manifest, inquiry, options);
  const own = isDigest(reference) ? [] : [reference];
  const tags = [...new Set([...own, ...inquiry.query.getAll("tag")])];
  if (tags.length === 0) return [{ action: "push", target }];
  return tags.map((tag) => ({ action: "push", target: tagged(target, tag) }));
}

function manifestPulled(
  { inquiry, answer }: Answered,
  { repository, reference }: ManifestRoute,
  options: TargetOptions,
): Happening[] {
  const digest = digestIn(answer);
  const { body, headers, status } = answer;
  if (status !== 200 || digest === undefined || !(body instanceof Uint8Array)) return [];
  const manifest = { digest, mediaType: String(headers["content-type"]), bytes: body };
  const target = manifestTarget(repository, manifest, inquiry, options);
  const isByTag = !isDigest(reference);
  return [{ action: "pull", target: isByTag ? tagged(target, reference) : target }];
}

function manifestGone({ tags }: Answered, { repository, reference }: ManifestRoute): Happening[] {
  const target = isDigest(reference)
    ? { digest: reference, repository }
    : { repository, tag: reference };
  const withIt = tags.map((tag) => ({ repository, tag }));
  return [target, ...withIt].map((gone) => ({ action: "delete", target: gone }));
}

/** In one event, as Distribution tells it, whatever was in it. */
function repositoryGone({ repository }: { repository: string }): Happening {
  return { action: "delete", target: { repository } };
}

function blobGone({ repository, digest }: BlobRoute): Happening {
  return { action: "delete", target: { digest, repository } };
}

function blobPulled({ inquiry, answer }: Answered, { repository, digest }: BlobRoute): Happening[] {
  const { status, headers } = answer;
  if (status !== 200 && status !== 206) return [];
  const whole = /\/(\d+)$/.exec(String(headers["content-range"] ?? ""))?.[1];
  const size = Number(whole ?? headers["content-length"]);
  return [{ action: "pull", target: blobTarget(repository, digest, size, inquiry) }];
}

async function blobArrived(
  { inquiry, answer }: Answered,
  { repository }: UploadRoute,
  { blobs }: Store,
): Promise<Happening[]> {
  const digest = digestIn(answer);
  if (answer.status !== 201 || digest === undefined) return [];
  const blob = await blobs.find(repository, digest, inquiry.call);
  if (blob === undefined) return [];
  const target = blobTarget(repository, digest, blob.size, inquiry);
  if (inquiry.query.get("mount") === null) return [{ action: "push", target }];
  const from = inquiry.query.get("from");
  const { url, ...rest } = target;
  const mounted = from === null ? target : { ...rest, fromRepository: from, ...(url && { url }) };
  return [{ action: "mount", target: mounted }];
}

function blobTarget(repository: string, digest: string, size: number, inquiry: Inquiry) {
  const url = inquiry.locate(`/v2/${repository}/blobs/${digest}`);
  return { mediaType: blobType, size, digest, length: size, repository, url } as EventTarget;
}

function manifestTarget(
  repository: string,
  { digest, mediaType, bytes }: StoredManifest,
  { locate }: Inquiry,
  { includeReferences }: TargetOptions,
): EventTarget {
  const size = bytes.length;
  return {
    ...{ mediaType, size, digest, length: size, repository },
    url: locate(`/v2/${repository}/manifests/${digest}`),
    ...(includeReferences && { references: referencesOf(parseManifest(bytes, mediaType)) }),
  };
}

function tagged({ references, ...target }: EventTarget, tag: string): EventTarget {
  return { ...target, tag, ...(references && { references }) };
}

function referencesOf(manifest: Manifest): NonNullable<EventTarget["references"]> {
  const { content } = manifest;
  const all = "config" in content ? [content.config, ...content.layers] : content.manifests;
  return all.map(({ mediaType, size, digest }) => ({ mediaType, size, digest }));
}

function digestIn({ headers }: Answer): Digest | undefined {
  const digest = headers["docker-content-digest"];
  return typeof digest === "string" && isDigest(digest) ? digest : undefined;
}
