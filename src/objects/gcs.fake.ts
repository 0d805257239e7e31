import { generateKeyPairSync, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { HttpClient } from "../base/http-client.ts";
import { bodyOf, serve } from "../base/local-server.fake.ts";
import { parseDigest } from "../oci/digest.ts";
import { type MemoryBucket, type MemoryObject, openMemoryBucket } from "./memory.fake.ts";

/** A strict stand-in for Cloud Storage's JSON API, with one bucket: `releases`. */
export interface FakeGcs {
  stop(): Promise<void>;
  url: URL;
  bucket: MemoryBucket;
  requests: string[];
  pageSize: number;
  /** As an emulator it takes requests without a token, and only those. */
  isEmulator: boolean;
  /** Names the key file of the one service account that may use it. */
  environment: Record<string, string>;
  refuse: { status: number; headers: Record<string, string> } | undefined;
  /** Brings what goes to Google to this server, and nothing else anywhere. */
  redirected(http: HttpClient): HttpClient;
}

const account = "agent@project.iam.gserviceaccount.com";
const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });

export async function serveFakeGcs(): Promise<FakeGcs> {
  const bucket = openMemoryBucket();
  const { url, server } = await serve(reply);
  const fake: FakeGcs = {
    url,
    bucket,
    requests: [],
    pageSize: 2,
    isEmulator: false,
    environment: { GOOGLE_APPLICATION_CREDENTIALS: keyFile() },
    refuse: undefined,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
    redirected: (http) => ({
      ...http,
      request(request, call) {
        const there = String(request.url);
        if (!there.startsWith("https://storage.googleapis.com/")) throw new Error(there);
        return http.request(
          { ...request, url: there.replace(/^https:\/\/[^/]+\//, url.href) },
          call,
        );
      },
    }),
  };
  return fake;

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? "/", url);
    fake.requests.push(`${request.method} ${request.url}`);
    const { authorization } = request.headers;
    const scope = request.method === "GET" ? "read_only" : "read_write";
    const isAllowed = fake.isEmulator ? !authorization : isSigned(authorization, scope);
    const [, upload, name = "", key] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?$/.exec(target.pathname) ?? [];
    if (fake.refuse) response.writeHead(fake.refuse.status, fake.refuse.headers).end("no");
    else if (!isAllowed) response.writeHead(401).end('{"error":{"code":401}}');
    else if (name !== "releases") response.writeHead(404).end('{"error":{"code":404}}');
    else if (upload && request.method === "POST") await takeObject(request, response, target);
    else if (key !== undefined && request.method === "DELETE") {
      const isThere = bucket.objects.has(decodeURIComponent(key));
      bucket.delete(decodeURIComponent(key));
      response.writeHead(isThere ? 204 : 404).end();
    } else if (key === undefined) response.end(listing(target.searchParams));
    else sendObject(request, response, target, bucket.objects.get(decodeURIComponent(key)));
  }

  async function takeObject(
    request: IncomingMessage,
    response: ServerResponse,
    { searchParams: query }: URL,
  ): Promise<void> {
    const body = await bodyOf(request).catch(() => undefined);
    if (body === undefined) return; // broken off
    const { about, content } = partsOf(body, request.headers["content-type"]);
    const condition = query.get("ifGenerationMatch") ?? undefined;
    if (query.get("uploadType") !== "multipart") response.writeHead(400).end();
    else if (!bucket.holds(about.name, condition === "0" ? "absent" : condition)) {
      response.writeHead(412).end('{"error":{"code":412}}');
    } else {
      const digest = about.metadata?.sha256 && parseDigest(`sha256:${about.metadata.sha256}`);
      response.end(JSON.stringify(resource(bucket.put(about.name, content, digest || undefined))));
    }
  }

  function listing(query: URLSearchParams): string {
    if (query.get("delimiter") !== "/") throw new Error(`the whole bucket is listed: ${query}`);
    const level = bucket.level(query.get("prefix") ?? "");
    const after = query.get("pageToken");
    const rest = after === null ? level : level.filter(({ name }) => name > after);
    const page = rest.slice(0, fake.pageSize);
    const items = page.flatMap(({ object }) => (object ? [resource(object)] : []));
    const prefixes = page.flatMap(({ name, object }) => (object ? [] : [name]));
    return JSON.stringify({
      ...(items.length > 0 ? { items } : {}),
      ...(prefixes.length > 0 ? { prefixes } : {}),
      ...(rest.length > page.length ? { nextPageToken: page.at(-1)?.name } : {}),
    });
  }
}

/** The two parts of `multipart/related` (RFC 2387), taken apart by their boundary alone. */
function partsOf(body: Buffer, contentType = "") {
  const [, boundary] = /^multipart\/related; boundary=(\S+)$/.exec(contentType) ?? [];
  const text = body.toString("latin1");
  const [before, first = "", second = "", after] = text.split(`--${boundary}`);
  if (before !== "" || after !== "--\r\n") throw new Error(`not multipart: ${text}`);
  const contentOf = (part: string) => {
    const content = part.slice(part.indexOf("\r\n\r\n") + 4, -2);
    return Buffer.from(content, "latin1");
  };
  const about = JSON.parse(contentOf(first).toString());
  return {
    about: about as { name: string; metadata?: { sha256?: string } },
    content: contentOf(second),
  };
}

function sendObject(
  { headers }: IncomingMessage,
  response: ServerResponse,
  { searchParams: query }: URL,
  object: MemoryObject | undefined,
): void {
  const generation = query.get("generation");
  if (!object || (generation !== null && generation !== object.version)) {
    response.writeHead(404).end("No such object");
  } else if (query.get("alt") !== "media") response.end(JSON.stringify(resource(object)));
  else {
    const size = object.content.length;
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${size - 1}/${size}` };
    if (from === 0) response.end(object.content);
    else if (from >= size) response.writeHead(416).end("no");
    else response.writeHead(206, range).end(object.content.subarray(from));
  }
}

function resource({ key, version, sizeBytes, modifiedAt, digest }: MemoryObject) {
  return {
    name: key,
    size: String(sizeBytes),
    generation: version,
    timeCreated: modifiedAt.toISOString(),
    md5Hash: "unused",
    ...(digest ? { metadata: { sha256: digest.slice(7) } } : {}),
  };
}

/** A token that the account signed itself: RFC 7519, with the scope of the JSON API. */
function isSigned(authorization = "", scope: string): boolean {
  const [, head, claims, signature] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization) ?? [];
  if (!head || !claims || !signature) return false;
  const said = JSON.parse(Buffer.from(claims, "base64url").toString());
  const bytes = Buffer.from(`${head}.${claims}`);
  const isGenuine = verify("sha256", bytes, keys.publicKey, Buffer.from(signature, "base64url"));
  const isMeant = String(said.scope).includes(`/auth/devstorage.${scope}`);
  return isGenuine && isMeant && said.iss === account && said.exp * 1000 > Date.now();
}

function keyFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "dewy-gcs-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "key.json");
  const key = {
    type: "service_account",
    project_id: "project",
    private_key_id: "1",
    private_key: keys.privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: account,
    token_uri: "https://oauth2.googleapis.com/token",
  };
  writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  return file;
}
