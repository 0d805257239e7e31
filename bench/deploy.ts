import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { ask, type LoadResult, startLoad } from "./load.ts";
import { freePort, openStage, type Stage, until } from "./stage.ts";

const deployments = 20;
const leastRequests = 50_000;
const slowSeconds = 20;

/**
 * 20 deployments under load: keep-alive and fresh connections, and always one request of 20 s in
 * flight. Beside it, the same application stopped and started by hand, as people do without Dewy.
 */
export async function run(print: (line: string) => void): Promise<void> {
  const stage = await openStage();
  try {
    const ours = await deployUnderLoad(stage, print);
    const byHand = await restartUnderLoad(stage);
    print("");
    print("                          requests   failed   failed per switch");
    print(`dewy, ${deployments} deployments     ${row(ours, deployments)}`);
    print(`stop and start, 5 times   ${row(byHand, 5)}`);
    for (const failure of new Set(ours.failures)) print(`failed: ${failure}`);
    if (ours.failures.length > 0 || ours.requests < leastRequests) process.exitCode = 1;
  } finally {
    await stage.close();
  }
}

async function deployUnderLoad(stage: Stage, print: (line: string) => void): Promise<LoadResult> {
  const port = await freePort();
  const app = `http://127.0.0.1:${port}/`;
  await stage.push("v1.0.0");
  const agent = stage.startAgent(port);
  await isAnswering(app, "v1.0.0");

  const load = startLoad({ url: app, keepAlive: 12, fresh: 4 });
  const slow = startLoad({ url: `${app}slow?seconds=${slowSeconds}`, keepAlive: 0, fresh: 1 });
  const delays: number[] = [];
  for (let count = 1; count <= deployments; count++) {
    const started = performance.now();
    await stage.push(`v1.${count}.0`);
    await isAnswering(app, `v1.${count}.0`);
    delays.push(performance.now() - started);
    print(`v1.${count}.0 answers ${(delays.at(-1) ?? 0).toFixed(0)} ms after the push began`);
  }
  await until(`${leastRequests} requests`, async () => load.soFar.requests >= leastRequests);
  const [quick, long] = await Promise.all([load.stop(), slow.stop()]);
  await agent.stop();
  const { median, slowest } = spread(delays);
  print(`push to first answer: median ${median} ms, slowest ${slowest} ms (polling every second)`);
  print(`requests of ${slowSeconds} s: ${long.requests}, failed ${long.failures.length}`);
  return {
    requests: quick.requests + long.requests,
    failures: [...quick.failures, ...long.failures],
    answers: quick.answers,
  };
}

async function restartUnderLoad(stage: Stage): Promise<LoadResult> {
  const port = await freePort();
  const app = `http://127.0.0.1:${port}/`;
  let process = startByHand(stage, port);
  await isAnswering(app, "sample-app");
  const load = startLoad({ url: app, keepAlive: 12, fresh: 4 });
  for (let count = 0; count < 5; count++) {
    await endByHand(process);
    process = startByHand(stage, port);
    await isAnswering(app, "sample-app");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const result = await load.stop();
  await endByHand(process);
  return result;
}

function startByHand(stage: Stage, port: number): ChildProcess {
  return spawn(process.execPath, [join(stage.directory, "app", "current", "server.js")], {
    env: { ...process.env, PORT: String(port) },
    stdio: "ignore",
  });
}

async function endByHand(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

async function isAnswering(app: string, text: string): Promise<void> {
  await until(`${app} answers with ${text}`, async () => (await ask(app)).body.includes(text));
}

function row({ requests, failures }: LoadResult, switches: number): string {
  const each = (failures.length / switches).toFixed(1);
  return `${String(requests).padStart(8)} ${String(failures.length).padStart(8)} ${each.padStart(19)}`;
}

function spread(values: number[]): { median: string; slowest: string } {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
  return { median: at(0.5), slowest: at(1) };
}
