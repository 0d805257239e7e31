import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../src/oci/digest.ts";
import { mediaTypes } from "../src/oci/manifest.ts";
import { exchange } from "./http-exchange.ts";
import { freePort, run as runDewy, until } from "./stage.ts";

const mebibyte = 1024 ** 2;
const concurrency = 32;
const measureMs = 3_000;

interface Subject {
  name: string;
  address: string;
  child: ChildProcess;
}

interface Blob {
  bytes: Uint8Array;
  digest: string;
}

/** Hashed beforehand: what the client does is not what is measured. */
function blobOf(bytes: Uint8Array): Blob {
  return { bytes, digest: digestOf(bytes) };
}

/** Under the name of what was measured, one figure for each subject. */
type Figures = Map<string, number[]>;

/** Measures the image registry against Debian's Distribution, turn by turn, on one disk. */
export async function run(print: (line: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-registry-"));
  const subjects: Subject[] = [];
  try {
    subjects.push(await startOurs(root));
    const peer = await startPeer(root);
    if (peer === undefined) print("docker-registry is not on this machine: ours alone");
    else subjects.push(peer);
    print(row("", ...subjects.map(({ name }) => name), peer ? "ratio" : ""));
    for (const [name, figures] of await measured(subjects)) {
      const [ours = 0, theirs] = figures;
      const ratio = theirs === undefined ? "" : (ours / theirs).toFixed(2);
      print(row(name, ...figures.map((figure) => figure.toFixed(0)), ratio));
    }
  } finally {
    for (const { child } of subjects) await killed(child);
    await rm(root, { recursive: true, force: true });
  }
}

async function measured(subjects: readonly Subject[]): Promise<Figures> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const figures: Figures = new Map();
  try {
    for (const [mebibytes, rounds] of [
      [1, 60],
      [100, 6],
    ] as const) {
      const blobs = Array.from({ length: rounds }, () => blobOf(randomBytes(mebibytes * mebibyte)));
      const perSecond = (seconds: number) => (mebibytes * (rounds - 1)) / seconds;
      const pushed = await timed(subjects, blobs, (address, blob) => push(address, blob, agent));
      figures.set(`${mebibytes} MiB blob: push MiB/s`, pushed.map(perSecond));
      const pulled = await timed(subjects, blobs, (address, { digest }) =>
        exchange(`${address}/v2/a/blobs/${digest}`, { agent, status: 200 }),
      );
      figures.set(`${mebibytes} MiB blob: pull MiB/s`, pulled.map(perSecond));
    }
    const rates: number[] = [];
    for (const { address } of subjects) {
      await pushManifest(address, agent);
      rates.push(await manifestsPerSecond(address, agent));
    }
    figures.set("manifest by tag: GET/s", rates);
    const peaks = subjects.map(({ child }) => peakMebibytes(child.pid ?? 0));
    return figures.set("peak memory: MiB", peaks);
  } finally {
    agent.destroy();
  }
}

/** Seconds each subject took for all blobs but the first, which is there to warm up. */
async function timed(
  subjects: readonly Subject[],
  blobs: readonly Blob[],
  work: (address: string, blob: Blob) => Promise<unknown>,
): Promise<number[]> {
  const seconds = subjects.map(() => 0);
  for (const [round, blob] of blobs.entries()) {
    for (const [index, { address }] of subjects.entries()) {
      const begun = performance.now();
      await work(address, blob);
      if (round > 0) seconds[index] = (seconds[index] ?? 0) + (performance.now() - begun) / 1000;
    }
  }
  return seconds;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function push(address: string, { bytes, digest }: Blob, agent: Agent): Promise<void> {
  const begun = { agent, method: "POST", status: 202 };
  const { location = "" } = await exchange(`${address}/v2/a/blobs/uploads/`, begun);
  const url = new URL(location, address);
  url.searchParams.set("digest", digest);
  await exchange(url.href, { agent, method: "PUT", body: bytes, status: 201 });
}

async function pushManifest(address: string, agent: Agent): Promise<void> {
  const config = Buffer.from("{}");
  await push(address, blobOf(config), agent);
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

async function startOurs(root: string): Promise<Subject> {
  const { file, address } = await configured(root, "ours");
  const { process: child } = runDewy(["registry", "serve", file], root);
  await answering(address);
  return { name: "ours", address, child };
}

async function startPeer(root: string): Promise<Subject | undefined> {
  const { file, address } = await configured(root, "theirs");
  const child = spawn("docker-registry", ["serve", file], { stdio: "ignore" });
  const isMissing = await Promise.race([
    once(child, "error").then(() => true),
    once(child, "spawn").then(() => false),
  ]);
  if (isMissing) return undefined;
  await answering(address);
  return { name: "Distribution", address, child };
}

/** The one configuration that both are run with. */
async function configured(root: string, name: string): Promise<{ file: string; address: string }> {
  const file = join(root, `${name}.yml`);
  const host = `127.0.0.1:${await freePort()}`;
  const storage = `storage: {filesystem: {rootdirectory: ${join(root, name)}}}`;
  const log = "log: {level: error, accesslog: {disabled: true}}";
  await writeFile(file, `version: 0.1\n${log}\n${storage}\nhttp: {addr: "${host}"}\n`);
  return { file, address: `http://${host}` };
}

function answering(address: string): Promise<void> {
  return until(`${address} answers`, () => fetch(`${address}/v2/`).then(Boolean));
}

function peakMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

function row(name: string, ...cells: string[]): string {
  return [name.padEnd(30), ...cells.map((cell) => cell.padStart(13))].join("");
}
