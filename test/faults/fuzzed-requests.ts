import fc from "fast-check";
import { digestOf } from "../../src/oci/digest.ts";
import { manifestMediaTypes, mediaTypes } from "../../src/oci/manifest.ts";
import type { Written } from "./raw-http.ts";

/** A request that may be anything. Its text may hold places that the fuzz fills: `{upload}`. */
export interface FuzzedRequest {
  method: string;
  target: string;
  headers: string[];
  body: Buffer;
  framing: "length" | "chunked" | "none" | "too long" | "too short" | "not a number" | "both";
}

/** What goes over one connection, one request right behind the other. */
export interface FuzzedConnection {
  requests: FuzzedRequest[];
  /** Cuts the bytes off at this part of them. */
  cutAt: number | undefined;
  parts: number;
  pauseMs: number;
}

const digest = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("{blob}", "{manifest}", "{bodyDigest}") },
  fc.constantFrom(
    ...[digestOf("absent"), digestOf("absent", "sha512"), "sha256:baddigeststring", "sha256:"],
    ...[
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "SHA256:00",
      ":",
      "sha256:sha256:00",
      "__proto__:1",
    ],
  ),
);
const strange = fc.oneof(
  fc.constantFrom(
    ...["..", ".", "%2e%2e", "%2f", "%00", "%", "%zz", "%ff%fe", "a%2fb", "_uploads", "_layers"],
    ...["A", "a//b", "-a", "a__b", "a___b", "a..b", "%E2%98%83", "%0d%0aX:%20y", "__proto__", "*"],
  ),
  fc.nat(9_000).map((length) => "a".repeat(length)),
  fc.string({ unit: "grapheme-ascii", maxLength: 20 }).map(encodeURIComponent),
  fc
    .string({ unit: "binary", maxLength: 10 })
    .map((text) => encodeURIComponent(Buffer.from(text, "utf16le").toString("utf8"))),
);
const repository = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b/c", "d/e/f/g") },
  {
    weight: 1,
    arbitrary: fc.array(strange, { minLength: 1, maxLength: 4 }).map((each) => each.join("/")),
  },
);
const reference = fc.oneof(fc.constantFrom("v1", "v2", "latest", "x".repeat(129)), digest, strange);
const uploadId = fc.oneof(
  fc.constantFrom("{id}", "1234", "..", ".", "{id}/..", "x".repeat(200)),
  strange,
);

const path = fc.oneof(
  { weight: 3, arbitrary: fc.constant("{upload}") },
  { weight: 2, arbitrary: repository.map((name) => `/v2/${name}/blobs/uploads/`) },
  {
    weight: 3,
    arbitrary: fc.tuple(repository, reference).map((each) => `/v2/${each.join("/manifests/")}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(repository, digest).map((each) => `/v2/${each.join("/blobs/")}`),
  },
  fc.tuple(repository, digest).map((each) => `/v2/${each.join("/referrers/")}`),
  fc.tuple(repository, uploadId).map((each) => `/v2/${each.join("/blobs/uploads/")}`),
  repository.map((name) => `/v2/${name}/tags/list`),
  repository.map((name) => `/api/v1/repositories/${name}`),
  fc
    .tuple(repository, reference)
    .map(([name, tag]) => `/api/v1/repositories/${name}/tags/${tag}/history`),
  fc
    .oneof(uploadId, fc.constantFrom("current", ""))
    .chain((id) =>
      fc.constantFrom("garbage/collections", "scrubs").map((of) => `/api/v1/${of}/${id}`),
    ),
  fc.constantFrom("/api/v1/repositories", "/api/v1/quotas", "/api/v1", "/api/v1/garbage"),
  fc.constantFrom(
    "/",
    "/v2",
    "/v2/",
    "/v2/_catalog",
    "/auth/token",
    "*",
    "http://elsewhere/v2/",
    "//v2/",
  ),
  strange.map((text) => `/${text}`),
);

const number = fc.constantFrom("0", "1", "2", "-1", "1e9", "999999999999", "x", "", "%00", "٣");
const parameter = fc.oneof(
  fc.tuple(fc.constantFrom("n", "last"), fc.oneof(number, reference)),
  fc.tuple(fc.constantFrom("digest", "mount"), digest),
  fc.tuple(
    fc.constantFrom("from", "ns", "tag", "scope", "service", "_state"),
    fc.oneof(repository, strange),
  ),
  fc.tuple(
    fc.constantFrom("artifactType", "digest-algorithm"),
    fc.oneof(strange, fc.constantFrom("sha512", "constructor")),
  ),
);
const query = fc
  .array(parameter, { maxLength: 4 })
  .map((all) => all.map(([name, value]) => `${name}=${value}`).join("&"));

const range = fc.oneof(
  fc.tuple(fc.nat(5_000), fc.nat(5_000)).map(([from, to]) => `${from}-${to}`),
  fc.constantFrom(
    "0-",
    "-0",
    "-1",
    "--",
    "5-3",
    "0-0,2-3",
    "99999999999999999999-",
    "x-y",
    "0-1e9",
    "",
  ),
);
const header = fc.oneof(
  range.map((text) => `Range: bytes=${text}`),
  range.map((text) => `Content-Range: ${text}`),
  range.map((text) => `Content-Range: bytes ${text}/*`),
  fc
    .constantFrom(...manifestMediaTypes, "application/json", "*/*;q=0", ",,;", "")
    .map((type) => `Accept: ${type}`),
  fc
    .constantFrom('"{blob}"', "{manifest}", "*", 'W/"x", "{manifest}"', '"')
    .map((tag) => `If-None-Match: ${tag}`),
  fc.constantFrom('"{blob}"', "x").map((tag) => `If-Range: ${tag}`),
  fc
    .constantFrom(
      ...[
        "Basic {credentials}",
        "Basic",
        "Basic ====",
        "Bearer x.y.z",
        "Bearer ",
        "Digest a=b",
        "Basic Og==",
      ],
      ...["Basic YTpi", `Bearer ${"e30.".repeat(500)}`],
    )
    .map((text) => `Authorization: ${text}`),
  fc.constantFrom("100-continue", "200-ok").map((text) => `Expect: ${text}`),
  fc
    .constantFrom('for="x;y', "host=evil/;proto=javascript", "a", ";;,=")
    .map((text) => `Forwarded: ${text}`),
  fc.constantFrom("evil/..", "a, b", "[::1]:1").map((text) => `X-Forwarded-Host: ${text}`),
  fc.constantFrom("close", "keep-alive", "upgrade").map((text) => `Connection: ${text}`),
  fc.nat(20_000).map((length) => `X-Long: ${"x".repeat(length)}`),
);

const descriptor = fc.record(
  {
    mediaType: fc.constantFrom<unknown>("a/b", mediaTypes.ociManifest, "", 1, null),
    digest: fc.constantFrom<unknown>(
      "{blob}",
      "{blob}",
      "{manifest}",
      digestOf("absent"),
      "sha256:x",
      null,
      {},
    ),
    size: fc.constantFrom<unknown>(2048, 0, -1, 1e300, 0.5, "1", null),
    urls: fc.constantFrom<unknown>(["http://x"], [], null, [1], "x"),
    annotations: fc.constantFrom<unknown>({ a: "b" }, { a: 1 }, null, []),
    platform: fc.constantFrom<unknown>({ os: "linux", architecture: "amd64" }, {}, null, 1),
  },
  { requiredKeys: ["mediaType", "digest", "size"] },
);
const whole = fc.constant({ mediaType: "a/b", digest: "{blob}", size: 2048 });
const part = fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: descriptor });
const manifest = fc
  .record(
    {
      schemaVersion: fc.constantFrom<unknown>(2, 2, 2, 1, "2", null),
      mediaType: fc.constantFrom<unknown>(mediaTypes.ociManifest, mediaTypes.ociIndex, "x", 1),
      config: part,
      layers: fc.oneof<fc.Arbitrary<unknown>[]>(
        fc.array(part, { maxLength: 3 }),
        fc.constant(null),
      ),
      manifests: fc.array(part, { maxLength: 2 }),
      subject: fc.oneof<fc.Arbitrary<unknown>[]>(part, fc.constant(null)),
      annotations: fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })),
      artifactType: fc.constantFrom<unknown>("a/b", "", 1),
      unknown: fc.jsonValue({ maxDepth: 3 }),
    },
    { requiredKeys: ["schemaVersion", "config", "layers"] },
  )
  .map((document) => JSON.stringify(document));
const json = fc.oneof(
  { weight: 6, arbitrary: manifest },
  fc
    .constantFrom(0, 10, 10_000, 1_000_000)
    .map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.constantFrom(10, 100_000).map((depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`),
  manifest.map((text) =>
    text.replace("{", '{"__proto__":{"layers":[]},"constructor":1,"toJSON":{},'),
  ),
  manifest.map((text) => text.replace("{", '{"layers":{},"schemaVersion":3,')),
  manifest.map((text) => text.replace("{", '{"annotations":{"__proto__":"x"},')),
  manifest.map((text) => text.replace("{", `{"pad":"${"x".repeat(4_200_000)}",`)),
  manifest.map((text) => text.slice(0, -1)),
  fc.constantFrom("", "{}", "null", "[]", '"', "\u0000", "\uFEFF{}", "{".repeat(100_000), "1e999"),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 4_000 }).map((each) => Buffer.from(each)),
  fc.nat(300_000).map((length) => Buffer.alloc(length, "x")),
);
const type = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...manifestMediaTypes) },
  fc.constantFrom(
    "",
    "application/json",
    "application/vnd.docker.distribution.manifest.v1+json",
    ";",
    "a/b;c",
  ),
);

const framing = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<FuzzedRequest["framing"]>("length", "chunked") },
  fc.constantFrom<FuzzedRequest["framing"]>(
    "none",
    "too long",
    "too short",
    "not a number",
    "both",
  ),
);
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") },
  fc.constantFrom("OPTIONS", "TRACE", "PROPFIND", "get", "QUERY"),
);
const anything: fc.Arbitrary<FuzzedRequest> = fc
  .record({
    method,
    path,
    query,
    headers: fc.array(header, { maxLength: 4 }),
    body: fc.oneof(bytes, json),
    framing,
  })
  .map(({ path, query, body, ...rest }) => ({
    ...rest,
    target: query === "" ? path : `${path}${path === "{upload}" ? "&" : "?"}${query}`,
    body: Buffer.from(body),
  }));
const manifestPut: fc.Arbitrary<FuzzedRequest> = fc
  .record({ repository: fc.constantFrom("a", "b/c"), reference, query, type, json, framing })
  .map(({ repository, reference, query, type, json, framing }) => ({
    method: "PUT",
    target: `/v2/${repository}/manifests/${reference}?${query}`,
    headers: [`Content-Type: ${type}`],
    body: Buffer.from(json),
    framing,
  }));

export const fuzzedRequests = fc.oneof(
  { weight: 3, arbitrary: anything },
  { weight: 1, arbitrary: manifestPut },
);

const connection: fc.Arbitrary<FuzzedConnection> = fc.record({
  requests: fc.array(fuzzedRequests, { minLength: 1, maxLength: 3 }),
  cutAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 4 }),
  parts: fc.integer({ min: 1, max: 5 }),
  pauseMs: fc.constantFrom(0, 0, 0, 1, 10),
});

/** Connections that are open at the same time. */
export const fuzzedConnections = fc.array(connection, { minLength: 1, maxLength: 8 });

/** What is no HTTP, or not quite. */
export const brokenHttp = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 500 }).map((each) => Buffer.from(each)),
  fc
    .constantFrom(
      ...[
        "GET /v2/\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "\r\n\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      ],
      ...[
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /v2/ HTTP/1.0\r\n\r\n",
      ],
      ...[
        "GET /v2/\u0000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v2/ HTTP/1.1\nHost: a\n\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
      ],
      ...[
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /v2/ HTTP/1.1\r\nHost : a\r\n\r\n",
      ],
      ...[
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nxx",
        "GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n",
      ],
      ...[
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        `GET /${"a".repeat(70_000)} HTTP/1.1\r\n\r\n`,
      ],
      ...[
        "PATCH {upload} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\nx",
        "\u0016\u0003\u0001\u0002\u0000\u0001",
      ],
      ...["GET /v2/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"],
      ...[
        "GET /v2/ HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
      ],
    )
    .map((text) => Buffer.from(text, "latin1")),
);

const last = "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** The connection as bytes, in which `fill` has put something at each place. */
export function writtenAs(
  { requests, cutAt, parts, pauseMs }: FuzzedConnection,
  fill: (text: string, body: Buffer) => string,
): Written {
  const all = Buffer.concat([
    ...requests.map((request) => bytesOf(request, fill)),
    Buffer.from(last),
  ]);
  const sent = cutAt === undefined ? all : all.subarray(0, Math.floor(all.length * cutAt));
  const size = Math.ceil(sent.length / parts) || 1;
  const pieces = Array.from({ length: parts }, (_, at) =>
    sent.subarray(at * size, (at + 1) * size),
  );
  const breaksOff =
    cutAt !== undefined ||
    requests.some(({ framing }) => framing !== "length" && framing !== "chunked");
  return { parts: pieces, pauseMs, breaksOff };
}

function bytesOf(request: FuzzedRequest, fill: (text: string, body: Buffer) => string): Buffer {
  const { method, target, framing } = request;
  const body = isText(request.body)
    ? Buffer.from(fill(request.body.toString(), request.body))
    : request.body;
  const length = body.length;
  const frame = {
    length: [`Content-Length: ${length}`],
    chunked: ["Transfer-Encoding: chunked"],
    none: [],
    "too long": [`Content-Length: ${length + 1_000}`],
    "too short": [`Content-Length: ${Math.floor(length / 2)}`],
    "not a number": ["Content-Length: 1x"],
    both: ["Transfer-Encoding: chunked", `Content-Length: ${length}`],
  }[framing];
  const asks = request.headers.some((each) => each.startsWith("Authorization"));
  const authorization = asks ? [] : ["Authorization: {authorization}"];
  const own = ["Host: a", ...authorization, ...request.headers, ...frame];
  const lines = [`${method} ${target} HTTP/1.1`, ...own];
  const head = `${fill(lines.join("\r\n"), body)}\r\n\r\n`;
  const isChunked = framing === "chunked" || framing === "both";
  const chunked = [Buffer.from(`${length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")];
  const end = Buffer.from("0\r\n\r\n");
  return Buffer.concat([
    Buffer.from(head),
    ...(isChunked ? (length === 0 ? [end] : chunked) : [body]),
  ]);
}

function isText(body: Buffer): boolean {
  return body.length < 20_000 && body.includes("{");
}
