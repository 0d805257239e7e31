import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { deployUnderLoad, healthTimeoutMs, type Played } from "./deploy-play.ts";
import { freePort } from "./free-port.ts";
import { ask, type LoadResult, startLoad } from "./load.ts";
import { openStage, type Stage, until } from "./stage.ts";

const rounds = { deployments: 100, upgrades: 20, rollbacks: 10 };
const leastRequests = 200_000;

/**
 * Deployments, upgrades of the agent and releases that fail after they have traffic, all under load:
 * keep-alive and fresh connections, always one request of 25 s and one half-closing client in flight.
 * Beside it, the same application stopped and started by hand, as people do without Dewy.
 */
export async function run(print: (line: string) => void): Promise<void> {
  const stage = await openStage();
  try {
    const ours = await deployUnderLoad(stage, { ...rounds, leastRequests }, print);
    const byHand = await restartUnderLoad(stage);
    report(ours, byHand, print);
    const isKept = ours.failures.length === 0 && isBackInTime(ours);
    if (!isKept || ours.requests < leastRequests) process.exitCode = 1;
  } finally {
    await stage.close();
  }
}

/** Each release that got ill was gone again within the time it has to answer, and two seconds. */
function isBackInTime({ returnedMs }: Played): boolean {
  return Math.max(...returnedMs) <= healthTimeoutMs + 2_000;
}

function report(ours: Played, byHand: LoadResult, print: (line: string) => void): void {
  const { deployments, upgrades, rollbacks } = rounds;
  const switches = deployments + upgrades + rollbacks;
  print("");
  print(`push to first answer          ${spread(ours.deployedMs)} (polling every second)`);
  print(`agent ended to next app       ${spread(ours.upgradedMs)}`);
  print(`unhealthy to old one alone    ${spread(ours.returnedMs)} (health asked every second)`);
  const verdict = isBackInTime(ours) ? "kept" : "MISSED";
  print(`back within --health-timeout + 2 s: ${verdict}`);
  print(`requests of 25 s: ${ours.slow.requests}, failed ${ours.slow.failures.length}`);
  print(
    `half-closing clients: ${ours.halfClosing.requests}, failed ${ours.halfClosing.failures.length}`,
  );
  print("");
  print(
    "                                                    requests   failed   failed per switch",
  );
  print(
    `dewy, ${deployments} deployments, ${upgrades} upgrades, ${rollbacks} rollbacks     ${row(ours, switches)}`,
  );
  print(`stop and start, 5 times                             ${row(byHand, 5)}`);
  for (const failure of new Set(ours.failures)) print(`failed: ${failure}`);
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

function row(
  { requests, failures }: Pick<LoadResult, "requests" | "failures">,
  switches: number,
): string {
  const each = (failures.length / switches).toFixed(1);
  return `${String(requests).padStart(8)} ${String(failures.length).padStart(8)} ${each.padStart(19)}`;
}

function spread(values: number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) =>
    (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0).padStart(5);
  return `median ${at(0.5)} ms   p99 ${at(0.99)} ms   of ${sorted.length}`;
}
