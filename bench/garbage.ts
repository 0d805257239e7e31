import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../src/oci/digest.ts";
import { mediaTypes } from "../src/oci/manifest.ts";
import { exchange } from "./http-exchange.ts";
import { freePort, run as runDewy, until } from "./stage.ts";

/** `DEWY_BENCH_MANIFESTS=2000` for a short one. */
const counts = (process.env.DEWY_BENCH_MANIFESTS ?? "2000,10000,100000").split(",").map(Number);
const manifestsWhilePushing = 5_000;
const clients = 4;
const pushes = 400;

/**
 * Measures collections of untagged manifests, each with a config and a layer of its own: how long they
 * take, how much memory, and what a push beside them feels of it.
 */
export async function run(print: (line: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-garbage-"));
  try {
    print(row("untagged manifests", "collected in s", "per 1,000 in s", "peak MiB"));
    for (const count of counts) print(await collected(join(root, String(count)), count));
    print("");
    print(row("pushes of 100 KiB, ms", "p50", "p99", ""));
    for (const line of await pushed(join(root, "pushes"))) print(line);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function collected(directory: string, count: number): Promise<string> {
  fill(directory, count);
  const config = await configured(directory, await freePort());
  const begun = performance.now();
  const { process: child, log } = runDewy(collectArguments(config), directory);
  const peak = peakWhile(child);
  const status = await ended(child);
  const seconds = (performance.now() - begun) / 1000;
  const left = await manifestsIn(directory);
  if (status !== 0 || left > 0) throw new Error(`${left} manifests are left: ${log()}`);
  await rm(directory, { recursive: true, force: true });
  const each = (1000 * seconds) / count;
  return row(String(count), seconds.toFixed(2), each.toFixed(2), (await peak).toFixed(0));
}

/** Beside the command, and beside the registry's own collections; each after a while without. */
async function pushed(directory: string): Promise<string[]> {
  const lines: string[] = [];
  for (const way of ["beside the command", "beside the schedule"] as const) {
    const isCommand = way === "beside the command";
    fill(directory, manifestsWhilePushing);
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    const serve = async (schedule: string) => {
      const config = await configured(directory, port, schedule);
      const registry = runDewy(["registry", "serve", config], directory);
      await until(`${address} answers`, () => fetch(`${address}/v2/`).then(Boolean));
      return { registry, config };
    };
    const { registry, config } = await serve("");
    const alone = await pushTimes(address, () => null);
    const command = isCommand ? runDewy(collectArguments(config), directory) : undefined;
    if (!isCommand) await registry.stop();
    const second = isCommand ? registry : (await serve("enabled: true, interval: 1s")).registry;
    await until("it collects", async () => (await manifestsIn(directory)) < manifestsWhilePushing);
    const beside = await pushTimes(address, () => command?.process.exitCode ?? null);
    await command?.stop();
    await second.stop();
    await rm(directory, { recursive: true, force: true });
    lines.push(comparison("alone", alone), comparison(way, beside, percentile(alone, 0.99)));
  }
  return lines;
}

function comparison(name: string, times: readonly number[], alone?: number): string {
  const p99 = percentile(times, 0.99);
  const ratio = alone === undefined ? "" : `${(p99 / alone).toFixed(2)}×`;
  return row(name, percentile(times, 0.5).toFixed(1), p99.toFixed(1), ratio);
}

/** Milliseconds of each push; stops early when what it is measured beside has ended. */
async function pushTimes(address: string, endOfOther: () => number | null): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  const client = async () => {
    while (times.length < pushes && endOfOther() === null) {
      const bytes = randomBytes(100 * 1024);
      const digest = digestOf(bytes);
      const begun = performance.now();
      const url = `${address}/v2/pushed/blobs/uploads/?digest=${digest}`;
      await exchange(url, { agent, method: "POST", body: bytes, status: 201 });
      const body = manifestOf(digest, digest);
      await exchange(`${address}/v2/pushed/manifests/v${times.length}`, {
        ...{ agent, method: "PUT", body, status: 201 },
        headers: { "content-type": mediaTypes.ociManifest },
      });
      times.push(performance.now() - begun);
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
    return times;
  } finally {
    agent.destroy();
  }
}

/**
 * Writes what pushing by digest leaves, an hour ago: pushing itself would take minutes, and going
 * through Node's threads for each of so many small files a multiple of this.
 */
function fill(directory: string, count: number): void {
  const root = join(directory, "docker/registry/v2");
  const at = new Date(Date.now() - 3_600_000);
  for (const parent of parents()) mkdirSync(join(root, parent), { recursive: true });
  for (let serial = 0; serial < count; serial++) {
    for (const [path, content] of filesOf(serial)) {
      const place = `${root}/${path}`;
      mkdirSync(place.slice(0, place.lastIndexOf("/")));
      writeFileSync(place, content);
      utimesSync(place, at, at);
    }
  }
}

function parents(): string[] {
  const prefixes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
  return [
    ...prefixes.map((prefix) => `blobs/sha256/${prefix}`),
    "repositories/a/_layers/sha256",
    "repositories/a/_manifests/revisions/sha256",
  ];
}

function filesOf(serial: number): [string, Uint8Array | string][] {
  const config = Buffer.from(`{"config":${serial}}`);
  const layer = Buffer.from(`layer ${serial}`);
  const [configDigest, layerDigest] = [digestOf(config), digestOf(layer)];
  const manifest = manifestOf(configDigest, layerDigest);
  const name = digestOf(manifest);
  return [
    [dataPath(configDigest), config],
    [dataPath(layerDigest), layer],
    [dataPath(name), manifest],
    [`repositories/a/_layers/${configDigest.replace(":", "/")}/link`, configDigest],
    [`repositories/a/_layers/${layerDigest.replace(":", "/")}/link`, layerDigest],
    [`repositories/a/_manifests/revisions/${name.replace(":", "/")}/link`, name],
  ];
}

function manifestOf(config: string, layer: string): Buffer {
  const mediaType = mediaTypes.ociManifest;
  return Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType },
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: 1 },
      layers: [{ mediaType: "a/b", digest: layer, size: 1 }],
    }),
  );
}

function dataPath(digest: string): string {
  const [algorithm, hex = ""] = digest.split(":");
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`;
}

async function manifestsIn(directory: string): Promise<number> {
  const path = "docker/registry/v2/repositories/a/_manifests/revisions/sha256";
  return (await readdir(join(directory, path))).length;
}

async function configured(directory: string, port: number, schedule = ""): Promise<string> {
  const file = join(directory, "config.yml");
  const collect = `{grace: 1m, deleteuntagged: true, ${schedule}}`;
  await writeFile(
    file,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${directory}}, maintenance: {garbagecollect: ${collect}}}
http: {addr: "127.0.0.1:${port}"}
`,
  );
  return file;
}

function collectArguments(config: string): string[] {
  return ["registry", "garbage-collect", "--quiet", config];
}

/** The most memory `child` had, in MiB, looked at until it ends. */
async function peakWhile(child: ChildProcess): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      break; // it ended between the two
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return peak;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("close", resolve));
}

function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function row(name: string, ...cells: string[]): string {
  return [name.padEnd(24), ...cells.map((cell) => cell.padStart(16))].join("");
}
