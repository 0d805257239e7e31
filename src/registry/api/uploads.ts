import { limited } from "../../base/bytes.ts";
import {
  type Digest,
  type DigestAlgorithm,
  isDigestAlgorithm,
  parseDigest,
} from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { isRepository } from "../../oci/reference.ts";
import type { Grant } from "../auth/authenticator.ts";
import type { Chunk, Upload } from "../images/uploads.ts";
import { parseContentRange } from "./byte-range.ts";
import {
  type Answer,
  type ApiParts,
  bodyOf,
  type Headers,
  hasBody,
  type Inquiry,
  type Methods,
} from "./exchange.ts";

/** `/v2/<name>/blobs/uploads/` (end-4a, end-4b, end-4c and end-11). */
export function uploadsMethods(
  { repository }: { repository: string },
  inquiry: Inquiry,
  { store: { blobs, uploads } }: ApiParts,
): Methods {
  const { query, request, call, grant } = inquiry;
  return {
    async POST() {
      const mount = query.get("mount");
      if (mount !== null) {
        const digest = parseDigest(mount);
        const from = query.get("from") ?? undefined;
        if (mayMount(from, grant) && (await blobs.mount(repository, digest, { ...call, from }))) {
          return committed(inquiry, repository, digest);
        }
      }
      const digest = query.get("digest");
      if (digest !== null && mount === null) return atOnce(parseDigest(digest));
      const algorithm = algorithmIn(query);
      const upload = await uploads.begin(repository, { ...call, algorithm });
      return { status: 202, headers: headersOf(inquiry, upload) };
    },
  };

  /** One request for one blob. Nobody could resume it, so nothing is left of one that fails. */
  async function atOnce(digest: Digest): Promise<Answer> {
    const algorithm: DigestAlgorithm = digest.startsWith("sha512:") ? "sha512" : "sha256";
    const { id } = await uploads.begin(repository, { ...call, algorithm });
    try {
      const chunk = { source: bodyOf(request), at: undefined, areOurs: true };
      await uploads.commit(repository, id, { digest, chunk }, call);
    } catch (error) {
      await uploads.cancel(repository, id, call).catch(() => {}); // it may be gone already
      throw error;
    }
    return committed(inquiry, repository, digest);
  }
}

/**
 * Whoever may not read the source uploads, as if there were no such blob. Without a source, it could
 * be from any repository.
 */
function mayMount(from: string | undefined, grant: Grant): boolean {
  if (from === undefined) return grant.reach === "everything";
  return isRepository(from) && grant.allows({ type: "repository", name: from, action: "pull" });
}

/** `/v2/<name>/blobs/uploads/<id>` (end-5, end-6, end-13 and end-14). */
export function uploadMethods(
  { repository, id }: { repository: string; id: string },
  inquiry: Inquiry,
  { store: { uploads } }: ApiParts,
): Methods {
  const { query, call } = inquiry;
  if (!/^[\w=-][\w.=-]{0,127}$/.test(id)) {
    throw new OciError("BLOB_UPLOAD_UNKNOWN", "there is no such upload", { detail: { id } });
  }
  return {
    async GET() {
      const upload = await uploads.find(repository, id, call);
      return { status: 204, headers: headersOf(inquiry, upload) };
    },

    async PATCH() {
      const upload = await uploads.append(repository, id, chunkOf(inquiry), call);
      return { status: 202, headers: headersOf(inquiry, upload) };
    },

    async PUT() {
      const digest = parseDigest(query.get("digest") ?? "");
      const chunk = hasBody(inquiry.request) ? chunkOf(inquiry) : undefined;
      await uploads.commit(repository, id, { digest, chunk }, call);
      return committed(inquiry, repository, digest);
    },

    async DELETE() {
      await uploads.cancel(repository, id, call);
      return { status: 204, headers: {} };
    },
  };
}

function chunkOf({ request }: Inquiry): Chunk {
  const { "content-range": contentRange, "content-length": length } = request.headers;
  const range = parseContentRange(contentRange, length);
  const source = bodyOf(request);
  if (range === undefined) return { source, at: undefined, areOurs: true };
  const exact = limited(source, range.to - range.from);
  return { source: exact, at: range.from, areOurs: true };
}

function algorithmIn(query: URLSearchParams): DigestAlgorithm {
  const algorithm = query.get("digest-algorithm") ?? "sha256";
  if (isDigestAlgorithm(algorithm)) return algorithm;
  throw new OciError("DIGEST_INVALID", `this registry does not know ${algorithm}`, {
    hint: "use sha256 or sha512",
  });
}

/**
 * The location carries `_state` as Distribution's does, though nothing is in it: scripts rely on a
 * query being there when they add `&digest=`.
 */
function headersOf({ locate }: Inquiry, { repository, id, size }: Upload): Headers {
  return {
    location: locate(`/v2/${repository}/blobs/uploads/${id}?_state=${id}`),
    range: `0-${Math.max(0, size - 1)}`,
    "docker-upload-uuid": id,
    "content-length": 0,
  };
}

function committed({ locate }: Inquiry, repository: string, digest: Digest): Answer {
  const headers = {
    location: locate(`/v2/${repository}/blobs/${digest}`),
    "docker-content-digest": digest,
    "content-length": 0,
  };
  return { status: 201, headers };
}
