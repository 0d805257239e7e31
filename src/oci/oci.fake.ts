import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyOf, serve } from "../base/local-server.fake.ts";
import { digestOf } from "./digest.ts";

/** What was asked of the fake, in order: `GET /v2/app/tags/list 200`. */
export interface FakeOciRegistry {
  host: string;
  blobs: Map<string, Buffer>;
  /** By `repository:tag` and `repository@digest`. */
  manifests: Map<string, { bytes: Buffer; mediaType: string }>;
  requests: string[];
  /** The `authorization` of each request. */
  authorizations: (string | undefined)[];
  /** Set to ask for a token with these words, without a user for anybody; `expiresIn` in seconds. */
  token: { user?: string; password?: string; expiresIn: number; identity?: string } | undefined;
  basic: { user: string; password: string } | undefined;
  /** Answers instead of everything else. */
  refuse: { status: number; headers?: Record<string, string>; body?: string } | undefined;
  pageSize: number;
  /** Whether it lists referrers by itself, as those of specification 1.1 do. */
  listsReferrers: boolean;
  /** Answers a range with one from byte 1 on. */
  beginsEarlier: boolean;
  /** Puts a manifest under a tag. */
  tag(repository: string, tag: string, content: object): string;
}

type Answer = { status: number; headers?: Record<string, string | number>; body?: Buffer | string };

/** A small OCI registry on a real socket, for the length of one test. */
export async function serveFakeOciRegistry(): Promise<FakeOciRegistry> {
  let tokens = 0;
  const { url } = await serve((request, response) => void reply(request, response));
  const fake: FakeOciRegistry = {
    host: url.host,
    blobs: new Map(),
    manifests: new Map(),
    requests: [],
    authorizations: [],
    token: undefined,
    basic: undefined,
    refuse: undefined,
    pageSize: 1000,
    listsReferrers: true,
    beginsEarlier: false,
    tag(repository, tag, content) {
      const bytes = Buffer.from(JSON.stringify(content));
      const mediaType =
        "manifests" in content
          ? "application/vnd.oci.image.index.v1+json"
          : "application/vnd.oci.image.manifest.v1+json";
      const digest = digestOf(bytes);
      fake.manifests.set(`${repository}@${digest}`, { bytes, mediaType });
      if (tag !== "") fake.manifests.set(`${repository}:${tag}`, { bytes, mediaType });
      return digest;
    },
  };
  return fake;

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? "/", url);
    const body = await bodyOf(request);
    const { status, headers, body: content } = answerTo(request, target, body);
    fake.requests.push(`${request.method} ${request.url} ${status}`);
    fake.authorizations.push(request.headers.authorization);
    response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : content);
  }

  function answerTo(request: IncomingMessage, target: URL, body: Buffer): Answer {
    if (target.pathname === "/token") return issueToken(request, target, body);
    if (fake.refuse) return fake.refuse;
    const challenge = challengeFor(request, target);
    if (challenge) return { status: 401, headers: { "www-authenticate": challenge } };
    const path = target.pathname;
    const blob = /^\/v2\/(.+)\/blobs\/(sha256:.+)$/.exec(path);
    if (blob) return blobAnswer(request, blob[2] ?? "");
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(path);
    if (manifest) return manifestAnswer(request, manifest[1] ?? "", manifest[2] ?? "", body);
    const referrers = /^\/v2\/(.+)\/referrers\/(sha256:.+)$/.exec(path);
    if (referrers) return referrersAnswer(referrers[1] ?? "", referrers[2] ?? "");
    if (path.endsWith("/blobs/uploads/")) {
      return { status: 202, headers: { location: "/upload?_state=a%2Fb" } };
    }
    if (path === "/upload") return uploadAnswer(target, body);
    return tagsAnswer(request, target);
  }

  function challengeFor({ headers }: IncomingMessage, target: URL): string | undefined {
    if (fake.basic) {
      const { user, password } = fake.basic;
      const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
      return headers.authorization === wanted ? undefined : 'Basic realm="fake"';
    }
    if (!fake.token || headers.authorization === `Bearer token-${tokens}`) return undefined;
    const repository =
      /^\/v2\/(.+?)\/(tags|blobs|manifests|referrers)/.exec(target.pathname)?.[1] ?? "";
    return `Bearer realm="${url}token",service="fake",scope="repository:${repository}:pull,push"`;
  }

  function issueToken(request: IncomingMessage, target: URL, body: Buffer): Answer {
    if (!fake.token || !maySignIn(request, target, String(body))) {
      return { status: 401, body: '{"errors":[{"code":"UNAUTHORIZED","message":"who?"}]}' };
    }
    const token = `token-${++tokens}`;
    const { expiresIn: expires_in, identity } = fake.token;
    const answer = identity ? { access_token: token, expires_in } : { token, expires_in };
    return { status: 200, body: JSON.stringify(answer) };
  }

  /** By RFC 6749, 6 for who has an identity token, as Azure has it; else by the older GET. */
  function maySignIn({ method, headers }: IncomingMessage, target: URL, body: string): boolean {
    const { user, password, identity } = fake.token ?? {};
    if (identity !== undefined) {
      const form = new URLSearchParams(body);
      const given = ["grant_type", "service", "refresh_token"].map((name) => form.get(name));
      return method === "POST" && given.join(" ") === `refresh_token fake ${identity}`;
    }
    const wanted = user && `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return headers.authorization === wanted && target.searchParams.get("service") === "fake";
  }

  function blobAnswer({ headers }: IncomingMessage, digest: string): Answer {
    const bytes = fake.blobs.get(digest);
    if (!bytes) return { status: 404 };
    const asked = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const from = fake.beginsEarlier && asked > 0 ? 1 : asked;
    if (from === 0)
      return { status: 200, headers: { "content-length": bytes.length }, body: bytes };
    if (from >= bytes.length) return { status: 416 };
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    return { status: 206, headers: { "content-range": range }, body: bytes.subarray(from) };
  }

  function manifestAnswer(
    { method, headers }: IncomingMessage,
    repository: string,
    reference: string,
    bytes: Buffer,
  ): Answer {
    const key = repository + (reference.includes(":") ? "@" : ":") + reference;
    if (method === "PUT") {
      const stored = { bytes, mediaType: headers["content-type"] ?? "" };
      fake.manifests.set(key, stored);
      fake.manifests.set(`${repository}@${digestOf(bytes)}`, stored);
      const { subject } = JSON.parse(bytes.toString());
      const told = subject && fake.listsReferrers ? { "oci-subject": subject.digest } : {};
      return { status: 201, headers: { "docker-content-digest": digestOf(bytes), ...told } };
    }
    const stored = fake.manifests.get(key);
    if (!stored) return { status: 404, body: '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}' };
    const digest = digestOf(stored.bytes);
    const described = { "content-type": stored.mediaType, "docker-content-digest": digest };
    return { status: 200, headers: described, body: stored.bytes };
  }

  function referrersAnswer(repository: string, subject: string): Answer {
    if (!fake.listsReferrers) return { status: 404, body: "404 page not found" };
    const found = [...fake.manifests].flatMap(([key, { bytes, mediaType }]) => {
      const content = JSON.parse(bytes.toString());
      if (!key.startsWith(`${repository}@`) || content.subject?.digest !== subject) return [];
      const { artifactType, annotations } = content;
      return [
        { mediaType, digest: digestOf(bytes), size: bytes.length, artifactType, annotations },
      ];
    });
    const type = "application/vnd.oci.image.index.v1+json";
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: found });
    return { status: 200, headers: { "content-type": type }, body };
  }

  function uploadAnswer(target: URL, body: Buffer): Answer {
    const digest = target.searchParams.get("digest") ?? "";
    if (target.searchParams.get("_state") !== "a/b") return { status: 404 };
    if (digestOf(body) !== digest) {
      return {
        status: 400,
        body: '{"errors":[{"code":"DIGEST_INVALID","message":"other bytes"}]}',
      };
    }
    fake.blobs.set(digest, body);
    return { status: 201 };
  }

  function tagsAnswer({ headers }: IncomingMessage, target: URL): Answer {
    const repository = /^\/v2\/(.+)\/tags\/list$/.exec(target.pathname)?.[1] ?? "";
    const tags = [...fake.manifests.keys()]
      .filter((key) => key.startsWith(`${repository}:`) && !key.includes("@"))
      .map((key) => key.slice(repository.length + 1))
      .sort();
    if (tags.length === 0) return { status: 404, body: '{"errors":[{"code":"NAME_UNKNOWN"}]}' };
    const last = target.searchParams.get("last") ?? "";
    const rest = tags.filter((tag) => tag > last);
    const page = rest.slice(0, fake.pageSize);
    const etag = `"${digestOf(tags.join())}"`;
    if (headers["if-none-match"] === etag) return { status: 304 };
    const more = rest.length > page.length ? { link: `<?last=${page.at(-1)}>; rel="next"` } : {};
    return { status: 200, headers: { etag, ...more }, body: JSON.stringify({ tags: page }) };
  }
}
