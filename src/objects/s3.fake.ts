import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyOf, serve } from "../base/local-server.fake.ts";
import { type Digest, digestOf, hexOf } from "../oci/digest.ts";
import { type MemoryBucket, type MemoryObject, openMemoryBucket } from "./memory.fake.ts";

/** A strict stand-in for S3, in path style, with one bucket called `releases`. */
export interface FakeS3 {
  stop(): Promise<void>;
  endpoint: URL;
  environment: Record<string, string>;
  bucket: MemoryBucket;
  requests: string[];
  /** What came with each object that was put. */
  taken: { headers: IncomingMessage["headers"] }[];
  pageSize: number;
  /** As of old servers: conditional writes are not known, or ETags have to come without quotes. */
  conditions: "known" | "ignored" | "bare";
  refuse: { status: number; headers: Record<string, string>; code?: string } | undefined;
}

const accessKey = "AKIDFAKE";
const region = "eu-west-1";

export async function serveFakeS3(): Promise<FakeS3> {
  const bucket = openMemoryBucket();
  const { url, server } = await serve(reply);
  const fake: FakeS3 = {
    endpoint: url,
    environment: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: "s3cret" },
    bucket,
    requests: [],
    taken: [],
    pageSize: 2,
    conditions: "known",
    refuse: undefined,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return fake;

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? "/", url);
    fake.requests.push(`${request.method} ${request.url}`);
    const [, name, ...path] = target.pathname.split("/").map(decodeURIComponent);
    const key = path.join("/");
    if (fake.refuse) {
      const { status, headers, code } = fake.refuse;
      response.writeHead(status, headers).end(code ? errorXml(code) : "");
    } else if (!isSigned(request)) response.writeHead(403).end(errorXml("InvalidAccessKeyId"));
    else if (name !== "releases") response.writeHead(404).end(errorXml("NoSuchBucket"));
    else if (key === "") response.end(listing(target.searchParams));
    else if (request.method === "PUT") await takeObject(request, response, key);
    else if (request.method === "DELETE") {
      bucket.delete(key);
      response.writeHead(204).end();
    } else sendObject(request, response, bucket.objects.get(key));
  }

  async function takeObject(
    request: IncomingMessage,
    response: ServerResponse,
    key: string,
  ): Promise<void> {
    const { headers } = request;
    fake.taken.push({ headers });
    const content = await bodyOf(request).catch(() => undefined);
    if (content === undefined) return; // broken off
    const digest = digestOf(content);
    const checksum = headers["x-amz-checksum-sha256"];
    const signed = headers["x-amz-content-sha256"];
    const isPromised = signed === "UNSIGNED-PAYLOAD" || signed === hexOf(digest);
    const { conditions } = fake;
    const isAbsent = headers["if-match"] !== undefined && !bucket.objects.has(key);
    if (!headers["content-length"]) response.writeHead(411).end(errorXml("MissingContentLength"));
    else if (!isPromised || (checksum && checksum !== base64Of(digest))) {
      response.writeHead(400).end(errorXml("BadDigest"));
    } else if (isAbsent) response.writeHead(404).end(errorXml("NoSuchKey"));
    else if (conditions !== "ignored" && !bucket.holds(key, conditionIn(headers, conditions))) {
      response.writeHead(412).end(errorXml("PreconditionFailed"));
    } else {
      const { version } = bucket.put(key, content, checksum ? digest : undefined);
      response.writeHead(200, { etag: `"${version}"` }).end();
    }
  }

  function listing(query: URLSearchParams): string {
    if (query.get("list-type") !== "2" || query.get("delimiter") !== "/") {
      throw new Error(`the whole bucket is listed: ${query}`);
    }
    const level = bucket.level(query.get("prefix") ?? "");
    const after = query.get("continuation-token");
    const rest = after === null ? level : level.filter(({ name }) => name > after);
    const page = rest.slice(0, fake.pageSize);
    const isTruncated = rest.length > page.length;
    const next = `<NextContinuationToken>${xml(page.at(-1)?.name ?? "")}</NextContinuationToken>`;
    return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>releases</Name>
<IsTruncated>${isTruncated}</IsTruncated>${isTruncated ? next : ""}
${page.map(({ name, object }) => (object ? contents(object) : commonPrefix(name))).join("")}
</ListBucketResult>`;
  }
}

function conditionIn(headers: IncomingMessage["headers"], form: string): string | undefined {
  if (headers["if-none-match"] === "*") return "absent";
  return form === "bare" ? headers["if-match"] : headers["if-match"]?.replace(/^"(.*)"$/, "$1");
}

function isSigned({ headers }: IncomingMessage): boolean {
  const scope = new RegExp(`Credential=${accessKey}/\\d{8}/${region}/s3/aws4_request, `);
  return headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") && headers["x-amz-date"]
    ? scope.test(headers.authorization)
    : false;
}

function sendObject(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  object: MemoryObject | undefined,
): void {
  if (!object) {
    response.writeHead(404).end(method === "HEAD" ? undefined : errorXml("NoSuchKey"));
    return;
  }
  const { content, version, modifiedAt, digest } = object;
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const size = content.length;
  if (headers["if-match"] && headers["if-match"] !== `"${version}"`) {
    response.writeHead(412).end(errorXml("PreconditionFailed"));
  } else if (from > 0 && from >= size) response.writeHead(416).end(errorXml("InvalidRange"));
  else {
    const checksum = digest && base64Of(digest);
    const isAsked = headers["x-amz-checksum-mode"] === "ENABLED";
    const head = {
      etag: `"${version}"`,
      "last-modified": modifiedAt.toUTCString(),
      "content-length": size - from,
      ...(from > 0 ? { "content-range": `bytes ${from}-${size - 1}/${size}` } : {}),
      ...(checksum && isAsked ? { "x-amz-checksum-sha256": checksum } : {}),
    };
    response.writeHead(from > 0 ? 206 : 200, head);
    response.end(method === "HEAD" ? undefined : content.subarray(from));
  }
}

const base64Of = (digest: Digest): string => Buffer.from(hexOf(digest), "hex").toString("base64");

const contents = ({ key, version, sizeBytes, modifiedAt }: MemoryObject): string =>
  `<Contents><Key>${xml(key)}</Key><LastModified>${modifiedAt.toISOString()}</LastModified>
<ETag>&quot;${version}&quot;</ETag><Size>${sizeBytes}</Size></Contents>`;

const commonPrefix = (name: string): string =>
  `<CommonPrefixes><Prefix>${xml(name)}</Prefix></CommonPrefixes>`;

const errorXml = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`;

const xml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
