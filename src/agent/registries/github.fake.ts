import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "../../base/local-server.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { type FakeGithubApp, fakeGithubApp } from "./github-app.fake.ts";
import { removeAsset, takeAsset } from "./github-uploads.fake.ts";

export interface FakeRelease {
  tag: string;
  draft: boolean;
  preRelease: boolean;
  /** `served` is what comes in place of the content whose digest is told. */
  assets: { id: number; name: string; content: string; served?: string }[];
}

/** A strict stand-in for GitHub's releases API, with its object storage at another origin. */
export interface FakeGithub {
  /** For `GITHUB_API_URL`. */
  api: string;
  token: string;
  releases: FakeRelease[];
  requests: string[];
  /** What came to the object storage with credentials; has to stay empty. */
  leaked: string[];
  pageSize: number;
  /** Whether assets carry their digest, as newer ones do. */
  tellsDigest: boolean;
  /** Whether the token may write. */
  mayWrite: boolean;
  /** How many assets a release may have. */
  maximumAssets: number;
  refuse: { status: number; headers: Record<string, string>; message: string } | undefined;
  /** Requests left until the limit begins anew; one that is answered 304 takes none. */
  rateLimit: { limit: number; remaining: number; reset: number } | undefined;
  app: FakeGithubApp;
  /** What was attested of a file, by its digest. */
  attestations: Map<string, object[]>;
  publish(
    tag: string,
    files: Readonly<Record<string, string>>,
    kind?: { draft?: boolean; preRelease?: boolean },
  ): void;
}

/** `now` is what an App's tokens are judged by. */
export async function serveFakeGithub(now: () => Date = () => new Date()): Promise<FakeGithub> {
  let lastId = 0;
  const leaked: string[] = [];
  const storage = await serve((request, response) => {
    const { authorization, cookie } = request.headers;
    if (authorization ?? cookie) leaked.push(`${request.url} ${authorization ?? cookie}`);
    const id = Number(request.url?.slice(1));
    const asset = fake.releases.flatMap(({ assets }) => assets).find((one) => one.id === id);
    sendRange(request, response, Buffer.from(asset?.served ?? asset?.content ?? ""));
  });
  const uploads = await serve(
    (request, response) => void takeAsset({ fake, nextId: () => ++lastId }, request, response),
  );
  const { url } = await serve(reply);
  const fake: FakeGithub = {
    api: `${url}api/v3`,
    token: "s3cret",
    releases: [],
    requests: [],
    leaked,
    pageSize: 100,
    tellsDigest: true,
    mayWrite: true,
    maximumAssets: 1000,
    refuse: undefined,
    rateLimit: undefined,
    app: fakeGithubApp(now),
    attestations: new Map(),
    publish(tag, files, { draft = false, preRelease = false } = {}) {
      const assets = Object.entries(files).map(([name, content]) => ({
        id: ++lastId,
        name,
        content,
      }));
      const others = fake.releases.filter((one) => one.tag !== tag);
      fake.releases = [{ tag, draft, preRelease, assets }, ...others];
    },
  };
  return fake;

  function reply(request: IncomingMessage, response: ServerResponse): void {
    const target = new URL(request.url ?? "/", url);
    response.once("finish", () => {
      fake.requests.push(`${request.url} ${response.statusCode}`);
    });
    const { headers, method } = request;
    const { authorization = "" } = headers;
    if (fake.refuse) {
      const { status, message } = fake.refuse;
      response.writeHead(status, fake.refuse.headers).end(JSON.stringify({ message }));
    } else if (target.pathname.startsWith("/api/v3/app/") && method === "POST") {
      const { status, body } = fake.app.answerTo(target.pathname, authorization);
      response.writeHead(status).end(JSON.stringify(body));
    } else if (!isSignedIn(authorization) || !headers["user-agent"]) {
      response.writeHead(401).end('{"message":"Bad credentials"}');
    } else if (target.pathname === "/api/v3/repos/acme/app/releases") {
      sendPage(request, response, target);
    } else if (target.pathname.startsWith("/api/v3/repos/acme/app/attestations/")) {
      sendAttestations(target.pathname.split("/").at(-1) ?? "", response);
    } else if (headers.accept === "application/vnd.github+json" && method === "DELETE") {
      removeAsset(fake, target, response);
    } else {
      const id = /^\/api\/v3\/repos\/acme\/app\/releases\/assets\/(\d+)$/.exec(
        target.pathname,
      )?.[1];
      const isThere = fake.releases.some(({ assets }) => assets.some((one) => `${one.id}` === id));
      const isWanted = isThere && headers.accept === "application/octet-stream";
      if (isWanted) response.writeHead(302, { location: `${storage.url}${id}` }).end();
      else response.writeHead(404).end('{"message":"Not Found"}');
    }
  }

  function sendAttestations(digest: string, response: ServerResponse): void {
    const bundles = fake.attestations.get(digest);
    const attestations = bundles?.map((bundle) => ({ bundle, repository_id: 1 }));
    if (attestations) response.writeHead(200).end(JSON.stringify({ attestations }));
    else response.writeHead(404).end('{"message":"Not Found"}');
  }

  function isSignedIn(authorization: string): boolean {
    return authorization === `Bearer ${fake.token}` || fake.app.isValid(authorization);
  }

  function limitAfter(counted: number): Record<string, string> {
    if (fake.rateLimit === undefined) return {};
    fake.rateLimit.remaining -= counted;
    const entries = Object.entries({ ...fake.rateLimit, resource: "core" });
    return Object.fromEntries(entries.map(([name, value]) => [`x-ratelimit-${name}`, `${value}`]));
  }

  function sendPage({ headers }: IncomingMessage, response: ServerResponse, target: URL): void {
    const page = Number(target.searchParams.get("page") ?? 1);
    const shown = fake.releases.slice((page - 1) * fake.pageSize, page * fake.pageSize);
    const body = JSON.stringify(shown.map((release) => releaseJson(release)));
    const etag = `W/"${digestOf(body)}"`;
    if (headers["if-none-match"] === etag) {
      response.writeHead(304, { etag, ...limitAfter(0) }).end();
      return;
    }
    const next = `<${target.origin}${target.pathname}?per_page=100&page=${page + 1}>; rel="next"`;
    const hasMore = fake.releases.length > page * fake.pageSize;
    const link: Record<string, string> = hasMore ? { link: next } : {};
    response.writeHead(200, { etag, ...link, ...limitAfter(1) }).end(body);
  }

  function releaseJson({ tag, draft, preRelease, assets }: FakeRelease) {
    return {
      tag_name: tag,
      draft,
      prerelease: preRelease,
      upload_url: `${uploads.url}repos/acme/app/releases/${tag}/assets{?name,label}`,
      published_at: draft ? null : "2026-01-01T00:00:00Z",
      body: "notes",
      assets: assets.map(({ id, name, content }) => ({
        id,
        name,
        size: content.length,
        state: "uploaded",
        updated_at: "2026-01-01T00:00:00Z",
        digest: fake.tellsDigest ? digestOf(content) : null,
      })),
    };
  }
}

function sendRange({ headers }: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  if (from === 0) response.end(bytes);
  else if (from >= bytes.length) response.writeHead(416).end();
  else {
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { "content-range": range }).end(bytes.subarray(from));
  }
}
