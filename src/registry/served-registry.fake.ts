import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/manifest.ts";
import type { AccessLog } from "./api/access-log.ts";
import { parseRegistryConfig } from "./config.ts";
import { openRegistry, type Registry } from "./registry.ts";

export const blob = randomBytes(2048);
export const digest = digestOf(blob);
export const absent = digestOf("absent");

/** Serves a directory of its own for the length of one test. */
export async function openHere(
  storage = "",
  http = "",
  logger = new FakeLogger(),
  more = "",
): Promise<Registry> {
  const rootdirectory = await mkdtemp(join(tmpdir(), "dewy-registry-"));
  const deletion = storage === "" ? "  delete: {enabled: true}" : storage;
  const address = http.includes("addr:") ? "" : 'addr: "127.0.0.1:0", ';
  const text = `version: 0.1\nstorage:\n  filesystem: {rootdirectory: ${rootdirectory}}\n${deletion}\nhttp: {${address}${http}}\n${more}\n`;
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const accessLog: AccessLog = {
    write: ({ request, user, status, size, address }) =>
      logger.info("request", { method: request.method, user, status, size, remote: address }),
  };
  const registry = await openRegistry(config, { clock: systemClock, logger, accessLog });
  onTestFinished(async () => {
    await registry.close({ signal: AbortSignal.abort() });
    await rm(rootdirectory, { recursive: true, force: true });
  });
  return registry;
}

export async function begin(base: string, repository: string): Promise<string> {
  const response = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  return response.headers.get("location") ?? "";
}

export async function push(base: string, repository: string, bytes: Uint8Array): Promise<void> {
  const url = `${base}/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`;
  const response = await fetch(url, { method: "POST", body: Buffer.from(bytes) });
  expect(response.status).toBe(201);
}

export async function pushImage(base: string, repository: string, tag: string, query = "") {
  await push(base, repository, blob);
  const config = { mediaType: "a/config", digest, size: blob.length };
  const bytes = JSON.stringify({ schemaVersion: 2, config, layers: [] }, null, 3);
  const response = await putManifest(base, `${repository}/manifests/${tag}?${query}`, bytes);
  expect(response.status).toBe(201);
  return { bytes, name: digestOf(bytes) };
}

export function putManifest(base: string, path: string, body: string): Promise<Response> {
  const headers = { "content-type": mediaTypes.ociManifest };
  return fetch(`${base}/v2/${path}`, { method: "PUT", body, headers });
}
