import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "../../base/local-server.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";

type Reply = (request: IncomingMessage, response: ServerResponse) => void;

/** A registry that others mirror, on a real socket, for the length of one test. */
export interface FakeUpstream {
  url: string;
  /** What was asked of it, in order, without the token's query: `GET /v2/app/blobs/sha256:…`. */
  requests: string[];
  /** The `authorization` of each request, and the `range` of each that had one. */
  authorizations: (string | undefined)[];
  ranges: string[];
  /** The `traceparent` of each request that had one. */
  traces: string[];
  blobs: Map<string, Buffer>;
  /** Answers in its place, whatever is asked; or only where it is a blob. */
  instead: Reply | undefined;
  blobInstead: Reply | undefined;
  /** What `www-authenticate` asks who has no `authorization`. */
  challenge: string | undefined;
  /** Adds an image with a layer of these bytes under `repository:tag`. */
  image(repository: string, tag: string, layer: Buffer): FakeImage;
  untag(repository: string, tag: string): void;
  /** Gives a request that `instead` has held the answer it would have had. */
  answer: Reply;
  stop(): void;
}

export interface FakeImage {
  digest: string;
  layer: string;
  config: string;
}

export async function serveFakeUpstream(): Promise<FakeUpstream> {
  const manifests = new Map<string, Buffer>();
  const { url, server } = await serve((request, response) => {
    fake.requests.push(`${request.method} ${request.url?.split("?")[0]}`);
    fake.authorizations.push(request.headers.authorization);
    if (request.headers.range) fake.ranges.push(request.headers.range);
    if (request.headers.traceparent) fake.traces.push(String(request.headers.traceparent));
    replyTo(request)(request, response);
  });
  const fake: FakeUpstream = {
    url: url.origin,
    requests: [],
    authorizations: [],
    ranges: [],
    traces: [],
    blobs: new Map(),
    instead: undefined,
    blobInstead: undefined,
    challenge: undefined,

    image(repository, tag, layer) {
      const config = Buffer.from(JSON.stringify({ created: tag, repository }));
      const [one, other] = [config, layer].map((bytes) => {
        fake.blobs.set(`${repository}@${digestOf(bytes)}`, bytes);
        return { mediaType: "a/b", digest: digestOf(bytes), size: bytes.length };
      });
      const content = { schemaVersion: 2, mediaType: mediaTypes.ociManifest };
      const bytes = Buffer.from(JSON.stringify({ ...content, config: one, layers: [other] }));
      manifests.set(`${repository}/manifests/${digestOf(bytes)}`, bytes);
      manifests.set(`${repository}/manifests/${tag}`, bytes);
      return { digest: digestOf(bytes), layer: digestOf(layer), config: digestOf(config) };
    },
    untag: (repository, tag) => manifests.delete(`${repository}/manifests/${tag}`),
    answer: (request, response) => replyTo(request)(request, response),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return fake;

  function replyTo({ url: path = "", headers }: IncomingMessage): Reply {
    if (fake.instead) return fake.instead;
    if (path.startsWith("/token")) return (_, response) => response.end('{"token":"a-token"}');
    if (fake.challenge && !headers.authorization) return challenged(fake.challenge);
    if (fake.blobInstead && path.includes("/blobs/")) return fake.blobInstead;
    return ordinary;
  }

  function ordinary(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "").replace(/^\/v2\//, "");
    const manifest = manifests.get(path);
    if (manifest) {
      const digest = digestOf(manifest);
      response.setHeader("docker-content-digest", digest);
      response.setHeader("content-type", mediaTypes.ociManifest);
      const isKnown = request.headers["if-none-match"] === `"${digest}"`;
      if (isKnown) response.writeHead(304).end();
      else sendPart(request, response, manifest);
      return;
    }
    const [repository, digest] = path.split("/blobs/");
    const blob = fake.blobs.get(`${repository}@${digest}`);
    if (blob) sendPart(request, response, blob);
    else if (path.includes("/tags/list")) sendTags(path.split("/tags/")[0] ?? "", response);
    else response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
  }

  function sendTags(repository: string, response: ServerResponse): void {
    const prefix = `${repository}/manifests/`;
    const tags = [...manifests.keys()]
      .filter((key) => key.startsWith(prefix) && !key.includes(":"))
      .map((key) => key.slice(prefix.length));
    response.end(JSON.stringify({ name: repository, tags }));
  }
}

/** Answers a request for bytes, also for those from one on. */
export function sendPart(request: IncomingMessage, response: ServerResponse, whole: Buffer): void {
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (from > 0) {
    response.setHeader("content-range", `bytes ${from}-${whole.length - 1}/${whole.length}`);
  }
  const bytes = whole.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function challenged(challenge: string): Reply {
  return (_, response) => response.writeHead(401, { "www-authenticate": challenge }).end();
}
