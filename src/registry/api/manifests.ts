import { BytesError, collect } from "../../base/bytes.ts";
import { type Digest, parseDigest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { isTag } from "../../oci/reference.ts";
import type { StoredManifest } from "../images/manifest-cache.ts";
import { maximumManifestBytes } from "../images/manifests.ts";
import { deletionRefused } from "./blobs.ts";
import {
  type Answer,
  type ApiParts,
  bodyOf,
  type Headers,
  type Inquiry,
  isKnownToClient,
  type Methods,
  warningOf,
} from "./exchange.ts";

type Target = { digest: Digest; tag?: undefined } | { tag: string; digest?: undefined };

/** `/v2/<name>/manifests/<reference>` (end-3, end-7 and end-9). */
export function manifestMethods(
  { repository, reference }: { repository: string; reference: string },
  inquiry: Inquiry,
  { store: { manifests, tags }, pulls, deletion }: ApiParts,
): Methods {
  const { request, call, locate, query, grant } = inquiry;
  const changing = { ...call, actor: grant.user };
  const target = targetOf(reference);
  return {
    async GET() {
      const manifest =
        target.digest === undefined
          ? await manifests.readTag(repository, target.tag, call)
          : await manifests.read(repository, target.digest, call);
      if (manifest === undefined) throw unknownManifest(repository, target);
      const { digest } = manifest;
      if (request.method === "GET") pulls.note({ repository, digest, tag: target.tag }, call);
      return answerWith(manifest, inquiry);
    },

    async PUT() {
      const extraTags = query.getAll("tag").map(checkedTag);
      const own = target.digest === undefined ? [target.tag] : [];
      const { digest, manifest } = await manifests.write(
        repository,
        {
          bytes: await wholeBody(inquiry),
          mediaType: declaredType(request.headers["content-type"]),
          expected: target.digest,
          tags: [...new Set([...own, ...extraTags])],
        },
        changing,
      );
      const { subject } = manifest.content;
      const headers: Headers = {
        location: locate(`/v2/${repository}/manifests/${digest}`),
        "docker-content-digest": digest,
        "content-length": 0,
        ...(subject === undefined ? {} : { "oci-subject": subject.digest }),
        ...(extraTags.length === 0 ? {} : { "oci-tag": extraTags.join(", ") }),
      };
      return { status: 201, headers };
    },

    async DELETE() {
      if (deletion === "refused") throw deletionRefused();
      const isGone =
        target.digest === undefined
          ? await tags.delete(repository, target.tag, changing)
          : await manifests.delete(repository, target.digest, changing);
      if (!isGone) throw unknownManifest(repository, target);
      return { status: 202, headers: { "content-length": 0 } };
    },
  };
}

/** As it was pushed, whatever `Accept` says: there is one answer, and clients read its type. */
function answerWith(
  { digest, mediaType, bytes, warning }: StoredManifest,
  { request }: Inquiry,
): Answer {
  const headers = {
    "content-type": mediaType,
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    ...warningOf(warning),
  };
  if (isKnownToClient(request, digest)) return { status: 304, headers };
  return { status: 200, headers: { ...headers, "content-length": bytes.length }, body: bytes };
}

async function wholeBody({ request }: Inquiry): Promise<Buffer> {
  try {
    return await collect(bodyOf(request), maximumManifestBytes);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    const why = `a manifest has at most ${maximumManifestBytes} bytes`;
    throw new OciError("MANIFEST_INVALID", why, { status: 413, cause: error });
  }
}

/** `application/json` says nothing, so the manifest itself is asked. */
function declaredType(header: string | undefined): string | undefined {
  const type = header?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "" || type === "application/json" ? undefined : type;
}

function targetOf(reference: string): Target {
  return reference.includes(":")
    ? { digest: parseDigest(reference) }
    : { tag: checkedTag(reference) };
}

export function checkedTag(tag: string): string {
  if (isTag(tag)) return tag;
  throw new OciError("TAG_INVALID", `not a tag: ${tag}`, { detail: { tag } });
}

export function unknownManifest(repository: string, { tag, digest }: Partial<Target>): OciError {
  const detail = tag === undefined ? { Name: repository, Revision: digest } : { Tag: tag };
  return new OciError("MANIFEST_UNKNOWN", "the repository has no such manifest", { detail });
}
