import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { freePort } from "../free-port.ts";
import { exchange } from "../http-exchange.ts";
import { run as runDewy, until } from "../stage.ts";
import { collectArguments } from "./collecting.ts";
import { configurationOf } from "./configuration.ts";
import { fill, manifestOf, untaggedIn } from "./stored-images.ts";

/** Milliseconds of each push. */
interface Times {
  alone: number[];
  beside: number[];
}

export type Ways = Record<(typeof ways)[number], Times>;

const ways = ["beside the command", "beside a collection of its own"] as const;
const manifests = Number(process.env.DEWY_BENCH_BESIDE ?? 5_000);
const rounds = 3;
const clients = 4;
const leastMs = 3_000;

/**
 * In turns beside a collection and alone, for as long as that collection took and at least three
 * seconds, in one serving process: what else the machine does meets both alike.
 */
export async function pushesBeside(directory: string): Promise<Ways> {
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const config = await configurationOf({ directory, port });
  const registry = runDewy(["registry", "serve", config], directory);
  const result = Object.fromEntries(
    ways.map((way) => [way, { alone: [], beside: [] } as Times]),
  ) as Ways;
  try {
    await until(`${address} answers`, () => fetch(`${address}/v2/`).then(Boolean));
    await pushWhile(address, lasting(leastMs)); // the first ones meet what is not compiled yet
    for (let round = 0; round < rounds; round++) {
      for (const way of ways) {
        fill(directory, manifests);
        const isGoingOn = await begin(way, { directory, address, config });
        const beganMs = performance.now();
        result[way].beside.push(...(await pushWhile(address, isGoingOn)));
        const tookMs = Math.max(leastMs, performance.now() - beganMs);
        if ((await untaggedIn(directory)) !== 0) throw new Error("not all was collected");
        result[way].alone.push(...(await pushWhile(address, lasting(tookMs))));
        await rm(`${directory}/dewy/trash`, { recursive: true, force: true });
      }
    }
    return result;
  } finally {
    await registry.stop();
  }
}

/** Begins a collection; resolves to what tells whether it is still going on. */
async function begin(
  way: (typeof ways)[number],
  { directory, address, config }: { directory: string; address: string; config: string },
): Promise<() => Promise<boolean>> {
  const hasBegun = async () => (await untaggedIn(directory)) < manifests;
  if (way === "beside the command") {
    const command = runDewy(collectArguments(config), directory);
    await until("it collects", hasBegun);
    return async () => command.process.exitCode === null;
  }
  const collections = `${address}/api/v1/garbage/collections`;
  const { status } = await fetch(collections, { method: "POST" });
  if (status !== 202) throw new Error(`a collection was answered with ${status}`);
  await until("it collects", hasBegun);
  return async () => {
    const answer = await fetch(`${collections}/current`);
    return ((await answer.json()) as { status: string }).status === "running";
  };
}

function lasting(ms: number): () => Promise<boolean> {
  const endMs = performance.now() + ms;
  return async () => performance.now() < endMs;
}

async function pushWhile(address: string, isGoingOn: () => Promise<boolean>): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  let isOver = false;
  const client = async () => {
    while (!isOver) times.push(await pushed(address, agent));
  };
  const watch = async () => {
    while (await isGoingOn()) await new Promise((resolve) => setTimeout(resolve, 50));
    isOver = true;
  };
  try {
    await Promise.all([watch(), ...Array.from({ length: clients }, client)]);
    return times;
  } finally {
    agent.destroy();
  }
}

/** A layer and a manifest of it; resolves to how long that took. */
async function pushed(address: string, agent: Agent): Promise<number> {
  const bytes = randomBytes(100 * 1024);
  const digest = digestOf(bytes);
  const body = manifestOf(digest, digest);
  const begunMs = performance.now();
  const url = `${address}/v2/pushed/blobs/uploads/?digest=${digest}`;
  await exchange(url, { agent, method: "POST", body: bytes, status: 201 });
  await exchange(`${address}/v2/pushed/manifests/v${digest.slice(-12)}`, {
    ...{ agent, method: "PUT", body, status: 201 },
    headers: { "content-type": mediaTypes.ociManifest },
  });
  return performance.now() - begunMs;
}
