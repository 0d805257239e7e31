import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { defaultRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";

/** Serves an empty registry for the length of one test; resolves to `http://host:port/v2`. */
export async function serve({ validation = "on" }: { validation?: "on" | "off" } = {}) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-conformance-"));
  const registry = await openRegistry(
    defaultRegistryConfig(directory, {
      REGISTRY_HTTP_ADDR: "127.0.0.1:0",
      REGISTRY_VALIDATION_DISABLED: String(validation === "off"),
    }),
    { clock: systemClock, logger: silentLogger },
  );
  onTestFinished(async () => {
    await registry.close({ signal: AbortSignal.abort() });
    await rm(directory, { recursive: true, force: true });
  });
  return `${registry.address}/v2`;
}

export interface Sent {
  body?: Uint8Array | string;
  headers?: Record<string, string>;
  /** Sends the body in chunks, without `Content-Length`. */
  streamed?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Buffer;
}

export async function ask(method: string, url: string, sent: Sent = {}): Promise<Answer> {
  const { streamed = false, headers = {} } = sent;
  const bytes = sent.body === undefined ? undefined : Buffer.from(sent.body);
  const body = streamed && bytes !== undefined ? new Blob([bytes]).stream() : bytes;
  const response = await fetch(url, {
    method,
    headers: { ...(body && { "content-type": "application/octet-stream" }), ...headers },
    ...(body && { body, duplex: "half" }),
  } as RequestInit);
  const { status } = response;
  return { status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}

/** Asks, and fails unless the answer has this status. */
export async function answered(
  status: number,
  method: string,
  url: string,
  sent: Sent = {},
): Promise<Answer> {
  const answer = await ask(method, url, sent);
  expect(answer.status, `${method} ${url}: ${answer.body}`).toBe(status);
  return answer;
}

/** The `Location` of an answer, as a whole URL. */
export function locationOf({ headers }: Answer, asked: string): string {
  const location = headers.get("location");
  expect(location).not.toBeNull();
  return new URL(location ?? "", asked).href;
}

/** Adds to the query of a location, which must be kept as it is. */
export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`;
}

export function randomBlob(): Buffer {
  return randomBytes(2048);
}
