import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { describeWith } from "../component.ts";
import { isAnswering, run, startDaemon, temporaryDirectory } from "./program.ts";

const program = fileURLToPath(new URL("../../dist/src/main.js", import.meta.url));

interface Started {
  address: string;
  child: ChildProcess;
  /** What it has written to standard error so far. */
  log(): string;
}

interface Event {
  id: string;
  action: string;
  target: Record<string, unknown>;
  request: { method: string };
}

it("loses no event of a push it acknowledged, however often it is killed", async () => {
  const receiver = await openReceiver();
  const file = await configured(await temporaryDirectory("registry"), receiver.url);
  const pushed = new Set<string>();

  for (let round = 0; round < 6; round++) {
    receiver.setStatus(round % 2 === 0 ? 503 : 200);
    const { address, child } = await started(file);
    const client = async () => {
      for (;;) {
        const blob = randomBytes(1_000);
        if (await push(address, blob)) pushed.add(digestOf(blob));
      }
    };
    const clients = Promise.allSettled([client(), client(), client()]);
    const before = pushed.size;
    await vi.waitFor(() => expect(pushed.size).toBeGreaterThan(before + 20), 20_000);
    child.kill("SIGKILL");
    await once(child, "exit");
    await clients;
  }

  receiver.setStatus(200);
  await started(file);
  await vi.waitFor(
    () => expect([...pushed].filter((digest) => !receiver.digests.has(digest))).toEqual([]),
    { timeout: 30_000, interval: 100 },
  );
  expect(pushed.size).toBeGreaterThan(120);
}, 90_000);

it("sends dead letters again by command, beside a registry that serves", async () => {
  const receiver = await openReceiver();
  receiver.setStatus(422);
  const directory = await temporaryDirectory("registry");
  const file = await configured(directory, receiver.url, ", threshold: 1, backoff: 1ms");
  const { address, log } = await started(file);
  const blob = randomBytes(1_000);
  await push(address, blob);
  await vi.waitFor(() => expect(log()).toContain("a notification was given up"), 10_000);

  receiver.setStatus(200);
  const replay = ["registry", "replay", "--endpoint", "e", file];
  const said = await run(process.execPath, [program, ...replay]);
  const again = await run(process.execPath, [program, "registry", "replay", file]);

  expect(said).toBe("e: its dead letters are sent again");
  await vi.waitFor(() => expect(receiver.digests).toContain(digestOf(blob)), 15_000);
  expect(again).toMatch(/^e: /);
  await expect(
    run(process.execPath, [program, "registry", "replay", "--endpoint", "f", file]),
  ).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("name one of: e") });
}, 60_000);

describe.skipIf(process.getuid?.() !== 0)("as root", () => {
  describeWith("mount", "umount")("with a full disk for its events", () => {
    it("goes on taking pushes, says that events are in memory only, and sends them later", async () => {
      const receiver = await openReceiver();
      const disk = await temporaryDisk();
      const file = await configured(await temporaryDirectory("registry"), receiver.url, "", {
        queue: disk,
      });
      const { address, log } = await started(file);
      const first = randomBytes(1_000);
      await push(address, first);
      await vi.waitFor(() => expect(receiver.digests).toContain(digestOf(first)));
      await writeFile(join(disk, "filler"), Buffer.alloc(8 * 1024 ** 2)).catch(() => {});

      const blobs = Array.from({ length: 20 }, () => randomBytes(1_000));
      for (const blob of blobs) expect(await push(address, blob)).toBe(true);

      expect(log()).toContain("notifications cannot be written down");
      await rm(join(disk, "filler"));
      const digests = blobs.map((blob) => digestOf(blob));
      await vi.waitFor(
        () => expect(digests.filter((digest) => !receiver.digests.has(digest))).toEqual([]),
        30_000,
      );
      expect(log()).toContain("notifications are written down again");
      expect(log()).not.toContain("dropped");
    }, 60_000);
  });
});

describeWith("docker-registry")("beside Distribution", () => {
  it("sends the same events, with the same fields in the same order", async () => {
    const ours = await openReceiver();
    const theirs = await openReceiver();
    const directory = await temporaryDirectory("registry");
    const port = await freePort();
    const host = `127.0.0.1:${port}`;
    const peer = await configured(await temporaryDirectory("peer"), theirs.url, "", { host });
    await startDaemon("docker-registry", ["serve", peer], () => isAnswering(`http://${host}/v2/`));
    const { address } = await started(await configured(directory, ours.url));

    await useOf(`http://${host}`);
    await useOf(address);

    await vi.waitFor(() => expect(theirs.events).toHaveLength(8), 10_000);
    await vi.waitFor(() => expect(ours.events).toHaveLength(8), 10_000);
    expect(ours.types).toEqual(theirs.types);
    expect(ours.events.map(comparable)).toEqual(theirs.events.map(comparable));
  }, 60_000);
});

/** Everything of an event but the values that are of one time and place. */
function comparable({ action, target, ...rest }: Event) {
  const { url = "", ...known } = target;
  const shape = JSON.stringify({ action, target, ...rest }, (_key, value: unknown) =>
    ["string", "number"].includes(typeof value) ? typeof value : value,
  );
  const path = String(url).replace(/^http:\/\/[^/]*/, "");
  return { action, path, known, method: rest.request.method, shape };
}

/** What both tell in the same way; Distribution tells of a `HEAD` as well, and of no tag's end. */
async function useOf(address: string): Promise<void> {
  const blob = Buffer.from("layer");
  const digest = digestOf(blob);
  await push(address, blob);
  const descriptor = { mediaType: "a/b", digest, size: blob.length };
  const mediaType = mediaTypes.dockerManifest;
  const manifest = JSON.stringify({
    ...{ schemaVersion: 2, mediaType, config: descriptor, layers: [descriptor] },
  });
  const headers = { "content-type": mediaType, accept: mediaType };
  const image = `${address}/v2/a/manifests`;
  await fetch(`${image}/v1`, { method: "PUT", headers, body: manifest });
  await read(`${image}/v1`, { headers });
  await read(`${image}/${digestOf(Buffer.from(manifest))}`, { headers });
  await read(`${address}/v2/a/blobs/${digest}`);
  const mount = `${address}/v2/c/d/blobs/uploads/?mount=${digest}&from=a`;
  await fetch(mount, { method: "POST" });
  await fetch(`${address}/v2/c/d/blobs/${digest}`, { method: "DELETE" });
  await push(address, Buffer.from("end"));
}

async function read(url: string, init: RequestInit = {}): Promise<void> {
  await (await fetch(url, init)).arrayBuffer();
}

async function push(address: string, blob: Buffer): Promise<boolean> {
  const begun = await fetch(`${address}/v2/a/blobs/uploads/`, { method: "POST" });
  const location = new URL(begun.headers.get("location") ?? "", address);
  location.searchParams.set("digest", digestOf(blob));
  const { status } = await fetch(location, { method: "PUT", body: new Uint8Array(blob) });
  return status === 201;
}

/** A `config.yml` that either registry takes. */
async function configured(
  directory: string,
  url: string,
  more = "",
  { host = "127.0.0.1:0", queue = "" } = {},
) {
  const file = join(await temporaryDirectory("config"), "config.yml");
  await writeFile(
    file,
    `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${directory}}, delete: {enabled: true}}
http: {addr: "${host}"}
notifications:
  events: {includereferences: true}
  endpoints: [{name: e, url: "${url}"${more || ", timeout: 2s, threshold: 10, backoff: 100ms"}}]
${queue && `  queue: {directory: ${queue}}`}
`,
  );
  return file;
}

async function started(file: string): Promise<Started> {
  const child = spawn(process.execPath, [program, "registry", "serve", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stderr?.setEncoding("utf8");
  let log = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr?.on("data", (text: string) => {
      log += text;
      const [, found] = /listens on (http:\S+)/.exec(log) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (status) => reject(new Error(`it ended with ${status}: ${log}`)));
  });
  return { address, child, log: () => log };
}

/** A disk of 4 MiB, for the length of one test. */
async function temporaryDisk(): Promise<string> {
  const disk = await mkdtemp(join(tmpdir(), "dewy-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  onTestFinished(async () => {
    execFileSync("umount", ["--lazy", disk]); // the registry, which ends later, holds it
    await rm(disk, { recursive: true });
  });
  return disk;
}

async function openReceiver() {
  let status = 200;
  const digests = new Set<unknown>();
  const events: Event[] = [];
  const types: unknown[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const taken = (JSON.parse(body) as { events: Event[] }).events;
      if (status === 200) events.push(...taken);
      if (status === 200) for (const { target } of taken) digests.add(target.digest);
      types.push(request.headers["content-type"]);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const setStatus = (now: number) => {
    status = now;
  };
  return { url, digests, events, types, setStatus };
}
