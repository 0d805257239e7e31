import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { RunDetails } from "fast-check";
import { expect } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";

const blob = Buffer.alloc(2048, "blob");
const blobDigest = digestOf(blob);

/** A registry that is fuzzed, as an ordinary client has it. */
export interface Fuzzed {
  dial: () => Socket;
  /** What lets everybody in. */
  authorization: Record<string, string>;
}

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | undefined;
}

/** An ordinary request, on a connection of its own. */
export async function ask(
  dial: Fuzzed["dial"],
  path: string,
  { method = "GET", headers = {}, body }: Asked,
) {
  const asking = request({
    ...{ method, path, createConnection: () => dial() },
    headers: { host: "a", connection: "close", ...headers },
  });
  asking.end(body);
  const [response] = (await once(asking, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/** An ordinary client; resolves to the digest of what it pushed. */
export async function pushAndPull(
  { dial, authorization }: Fuzzed,
  repository: string,
): Promise<string> {
  const answered = async (method: string, path: string, status: number, body?: Buffer) => {
    const type = { "content-type": "application/json" };
    const headers = { ...authorization, ...(body && type) };
    const answer = await ask(dial, `/v2/${repository}/${path}`, { method, headers, body });
    expect(`${method} ${path}: ${answer.status}`).toBe(`${method} ${path}: ${status}`);
    return answer.body;
  };
  const config = { mediaType: "a/b", digest: blobDigest, size: blob.length };
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [config] }));
  await answered("POST", `blobs/uploads/?digest=${blobDigest}`, 201, blob);
  await answered("PUT", "manifests/v1", 201, manifest);
  expect((await answered("GET", "manifests/v1", 200)).equals(manifest)).toBe(true);
  expect((await answered("GET", `blobs/${blobDigest}`, 200)).equals(blob)).toBe(true);
  return digestOf(manifest);
}

/** Puts what exists at the places of a text; `body` is what its digest is asked of. */
export type Fill = (text: string, body: Buffer) => string;

/** Puts what exists at the places of a text; the upload is a new one. */
export async function fillFor({ dial, authorization }: Fuzzed, manifest: string): Promise<Fill> {
  const begin = { method: "POST", headers: authorization };
  const begun = await ask(dial, "/v2/a/blobs/uploads/", begin);
  const { pathname, search } = new URL(begun.headers.location ?? "", "http://a");
  const places: Record<string, string> = {
    ...{ upload: `${pathname}${search}`, id: String(begun.headers["docker-upload-uuid"]) },
    ...{ blob: blobDigest, manifest, authorization: authorization.authorization ?? "None" },
    credentials: Buffer.from("alice:alice-pw").toString("base64"),
  };
  return (text, body) =>
    text.replace(/\{(\w+)\}/g, (place, name) =>
      name === "bodyDigest" ? digestOf(body) : (places[name] ?? place),
    );
}

/** The smallest that fails, without the bulk of its bodies. */
export function failureOf(
  { counterexample, errorInstance }: Pick<RunDetails<unknown>, "counterexample" | "errorInstance">,
  seed: number,
): Error {
  const shortened = JSON.stringify(counterexample, (_key, value) => {
    if (value?.type === "Buffer") return Buffer.from(value.data).toString("latin1").slice(0, 100);
    return typeof value === "string" ? value.slice(0, 300) : value;
  });
  return new Error(`seed ${seed}: ${shortened}`, { cause: errorInstance });
}

const layout = new RegExp(
  [
    String.raw`^blobs/sha\d+/[0-9a-f]{2}/[0-9a-f]+/data$`,
    `^repositories/.+/_(layers|manifests)/.*link$`,
    `^repositories/.+/_uploads/[^/]+/(data|startedat)$`,
  ].join("|"),
);

/** Files that are none of the layout. */
export async function strangeFilesIn(directory: string): Promise<string[]> {
  return (await filesIn(directory)).filter((name) => !layout.test(name));
}

/** What is still being uploaded. */
export async function uploadsIn(directory: string): Promise<string[]> {
  return (await filesIn(directory)).filter((name) => /_uploads\/[^/]+\/startedat$/.test(name));
}

async function filesIn(directory: string): Promise<string[]> {
  const root = join(directory, "docker/registry/v2");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
