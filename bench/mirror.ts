import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { digestOf } from "../src/oci/digest.ts";
import { mediaTypes } from "../src/oci/manifest.ts";
import { freePort } from "./free-port.ts";
import { exchange } from "./http-exchange.ts";
import { run as runDewy, until } from "./stage.ts";

const clients = 50;
const layerBytes = 10 * 1024 ** 2;
const warmMs = 3_000;
const headers = { accept: mediaTypes.ociManifest };

interface Subject {
  name: string;
  address: string;
  child: ChildProcess;
}

/** Measures mirrors of one registry: ours, and Debian's Distribution, which also is the registry. */
export async function run(print: (line: string) => void): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "dewy-bench-mirror-"));
  const subjects: Subject[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  try {
    if (pathOf("docker-registry") === undefined) {
      print("docker-registry is not on this machine, which this bench mirrors");
      return;
    }
    const source = await start(root, "source", spawnTheirs);
    subjects.push(source);
    const layer = await pushImage(source.address, agent);
    const proxy = `proxy: {remoteurl: "${source.address}"}\n`;
    subjects.push(await start(root, "ours", spawnOurs, proxy));
    subjects.push(await start(root, "Distribution", spawnTheirs, proxy));
    for (const { name, address } of subjects.slice(1)) {
      const cold = await secondsOf(() => pullByAll(address, layer, agent));
      const warm = await secondsOf(() => pullByAll(address, layer, agent));
      const rate = await manifestsPerSecond(address, agent);
      const mebibytes = ((layerBytes * clients) / 1024 ** 2).toFixed(0);
      print(`${name}: ${clients} clients pull 10 MiB (${mebibytes} MiB in all)`);
      print(`  not stored yet ${cold.toFixed(2)} s, stored ${warm.toFixed(2)} s`);
      print(`  manifest by tag, stored: ${rate.toFixed(0)} GET/s`);
    }
  } finally {
    agent.destroy();
    for (const { child } of subjects) {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    await rm(root, { recursive: true, force: true });
  }
}

async function pullByAll(address: string, layer: string, agent: Agent): Promise<void> {
  const pull = async () => {
    await exchange(`${address}/v2/a/manifests/v1`, { agent, headers, status: 200 });
    await exchange(`${address}/v2/a/blobs/${layer}`, { agent, status: 200 });
  };
  await Promise.all(Array.from({ length: clients }, pull));
}

async function manifestsPerSecond(address: string, agent: Agent): Promise<number> {
  const begun = performance.now();
  let count = 0;
  const client = async () => {
    while (performance.now() - begun < warmMs) {
      await exchange(`${address}/v2/a/manifests/v1`, { agent, headers, status: 200 });
      count++;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return count / ((performance.now() - begun) / 1000);
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** Resolves to the digest of its layer. */
async function pushImage(address: string, agent: Agent): Promise<string> {
  const layer = await push(address, randomBytes(layerBytes), agent);
  const config = await push(address, Buffer.from("{}"), agent);
  const mediaType = mediaTypes.ociManifest;
  const body = JSON.stringify({
    ...{ schemaVersion: 2, mediaType },
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
  });
  const url = `${address}/v2/a/manifests/v1`;
  const type = { "content-type": mediaType };
  await exchange(url, {
    agent,
    method: "PUT",
    body: Buffer.from(body),
    headers: type,
    status: 201,
  });
  return layer.digest;
}

async function push(address: string, body: Uint8Array, agent: Agent) {
  const digest = digestOf(body);
  const begun = { agent, method: "POST", status: 202 };
  const { location = "" } = await exchange(`${address}/v2/a/blobs/uploads/`, begun);
  const url = new URL(location, address);
  url.searchParams.set("digest", digest);
  await exchange(url.href, { agent, method: "PUT", body, status: 201 });
  return { digest, size: body.length };
}

async function start(
  root: string,
  name: string,
  spawned: (file: string, root: string) => ChildProcess,
  proxy = "",
): Promise<Subject> {
  const file = join(root, `${name}.yml`);
  const host = `127.0.0.1:${await freePort()}`;
  const storage = `storage: {filesystem: {rootdirectory: ${join(root, name)}}}`;
  const log = "log: {level: error, accesslog: {disabled: true}}";
  await writeFile(file, `version: 0.1\n${log}\n${storage}\nhttp: {addr: "${host}"}\n${proxy}`);
  const child = spawned(file, root);
  const address = `http://${host}`;
  await until(`${address} answers`, () => fetch(`${address}/v2/`).then(Boolean));
  return { name, address, child };
}

function spawnOurs(file: string, root: string): ChildProcess {
  return runDewy(["registry", "serve", file], root).process;
}

function pathOf(program: string): string | undefined {
  const directories = (process.env.PATH ?? "").split(delimiter);
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

function spawnTheirs(file: string): ChildProcess {
  return spawn("docker-registry", ["serve", file], { stdio: "ignore" });
}
