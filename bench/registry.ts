import { type ChildProcess, fork, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf } from "../src/oci/digest.ts";
import { mediaTypes } from "../src/oci/manifest.ts";
import { exchange } from "./http-exchange.ts";

const mebibyte = 1024 ** 2;
const concurrency = 32;
const measureMs = 3_000;

interface Subject {
  name: string;
  address: string;
  child: ChildProcess;
}

type Figures = Map<string, number>;

/** Measures the image registry against Debian's Distribution, one after the other, on one disk. */
export async function run(print: (line: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-registry-"));
  try {
    const ours = await measured(await startOurs(join(root, "ours")));
    const peer = await startPeer(join(root, "theirs"), root);
    if (peer === undefined) print("docker-registry is not on this machine: ours alone");
    const theirs = peer && (await measured(peer));
    print(row("", "ours", theirs ? "Distribution" : "", theirs ? "ratio" : ""));
    for (const [name, figure] of ours) {
      const other = theirs?.get(name);
      const ratio = other === undefined ? "" : (figure / other).toFixed(2);
      print(row(name, figure.toFixed(0), other?.toFixed(0) ?? "", ratio));
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measured(subject: Subject): Promise<Figures> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  try {
    const figures: Figures = new Map();
    for (const [size, rounds] of [
      [mebibyte, 60],
      [100 * mebibyte, 5],
    ] as const) {
      const label = `${size / mebibyte} MiB blob`;
      const blobs = Array.from({ length: rounds }, () => randomBytes(size));
      const pushed = await timed(blobs, (blob) => push(subject.address, blob, agent));
      figures.set(`${label}: push MiB/s`, (size * rounds) / mebibyte / pushed);
      const pulled = await timed(blobs, (blob) =>
        exchange(`${subject.address}/v2/a/blobs/${digestOf(blob)}`, { agent, status: 200 }),
      );
      figures.set(`${label}: pull MiB/s`, (size * rounds) / mebibyte / pulled);
    }
    await pushManifest(subject.address, agent);
    figures.set("manifest by tag: GET/s", await manifestsPerSecond(subject.address, agent));
    figures.set("peak memory: MiB", peakMebibytes(subject.child.pid ?? 0));
    return figures;
  } finally {
    agent.destroy();
    subject.child.kill("SIGKILL");
    if (subject.child.exitCode === null) await once(subject.child, "exit");
  }
}

/** Seconds `work` took for all, without what hashing and the like costs the client beforehand. */
async function timed<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>) {
  let seconds = 0;
  for (const item of items) {
    const begun = performance.now();
    await work(item);
    seconds += (performance.now() - begun) / 1000;
  }
  return seconds;
}

async function push(address: string, blob: Uint8Array, agent: Agent): Promise<void> {
  const digest = digestOf(blob);
  const begun = { agent, method: "POST", status: 202 };
  const { location = "" } = await exchange(`${address}/v2/a/blobs/uploads/`, begun);
  const url = new URL(location, address);
  url.searchParams.set("digest", digest);
  await exchange(url.href, { agent, method: "PUT", body: blob, status: 201 });
}

async function pushManifest(address: string, agent: Agent): Promise<void> {
  const config = Buffer.from("{}");
  await push(address, config, agent);
  const type = "application/vnd.oci.image.config.v1+json";
  const descriptor = { mediaType: type, digest: digestOf(config), size: config.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor,
    layers: [],
  };
  const body = Buffer.from(JSON.stringify(manifest));
  const headers = { "content-type": mediaTypes.ociManifest };
  const url = `${address}/v2/a/manifests/v1`;
  await exchange(url, { agent, method: "PUT", body, headers, status: 201 });
}

async function manifestsPerSecond(address: string, agent: Agent): Promise<number> {
  const headers = { accept: mediaTypes.ociManifest };
  const begun = performance.now();
  let count = 0;
  const client = async () => {
    while (performance.now() - begun < measureMs) {
      await exchange(`${address}/v2/a/manifests/v1`, { agent, headers, status: 200 });
      count++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return count / ((performance.now() - begun) / 1000);
}

async function startOurs(directory: string): Promise<Subject> {
  const program = fileURLToPath(new URL("./registry-program.js", import.meta.url));
  const child = fork(program, [directory]);
  const [address] = (await once(child, "message")) as [string];
  return { name: "ours", address, child };
}

async function startPeer(directory: string, root: string): Promise<Subject | undefined> {
  const port = await freePort();
  const file = join(root, "config.yml");
  const storage = `storage: {filesystem: {rootdirectory: ${directory}}}`;
  const log = "log: {level: error, accesslog: {disabled: true}}";
  await writeFile(file, `version: 0.1\n${log}\n${storage}\nhttp: {addr: "127.0.0.1:${port}"}\n`);
  const child = spawn("docker-registry", ["serve", file], { stdio: "ignore" });
  const isMissing = await Promise.race([
    once(child, "error").then(() => true),
    once(child, "spawn").then(() => false),
  ]);
  if (isMissing) return undefined;
  const address = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await fetch(`${address}/v2/`).then(Boolean, () => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { name: "Distribution", address, child };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}

function peakMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

function row(name: string, ...cells: string[]): string {
  return [name.padEnd(30), ...cells.map((cell) => cell.padStart(13))].join("");
}
