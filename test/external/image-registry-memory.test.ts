import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { temporaryDirectory } from "./program.ts";
import { serveRegistry } from "./served-registry.ts";

const mebibyte = 1024 ** 2;
const layerBytes = 1024 * mebibyte;
const piece = Buffer.alloc(mebibyte, "dewy");

it("takes and gives a layer of 1 GiB within 64 MiB of memory", { timeout: 300_000 }, async () => {
  const { address, child } = await serveRegistry(await temporaryDirectory("registry"));
  const pid = child.pid ?? 0;
  await push(address, 1);
  const before = peakBytes(pid);

  const digest = await push(address, layerBytes / mebibyte);
  const response = await fetch(`${address}/v2/a/blobs/${digest}`);
  const hash = createHash("sha256");
  for await (const chunk of response.body ?? []) hash.update(chunk);

  expect(`sha256:${hash.digest("hex")}`).toBe(digest);
  expect(peakBytes(pid) - before).toBeLessThan(64 * mebibyte);
});

async function push(address: string, pieces: number): Promise<string> {
  const hash = createHash("sha256");
  for (let count = 0; count < pieces; count++) hash.update(piece);
  const digest = `sha256:${hash.digest("hex")}`;
  const response = await fetch(`${address}/v2/a/blobs/uploads/?digest=${digest}`, {
    method: "POST",
    body: repeated(pieces),
    duplex: "half",
  } as RequestInit);
  expect(response.status).toBe(201);
  return digest;
}

async function* repeated(pieces: number): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < pieces; count++) yield piece;
}

/** The most memory the process ever had (Linux, `proc(5)`). */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
}
