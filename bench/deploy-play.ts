import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { ask, askHalfClosing, type LoadResult, startLoad } from "./load.ts";
import { built, type Running, type Stage, until } from "./stage.ts";

type Print = (line: string) => void;

interface Rounds {
  deployments: number;
  upgrades: number;
  rollbacks: number;
  leastRequests: number;
}

/** What all clients together have met. */
export interface Played {
  requests: number;
  failures: string[];
  slow: LoadResult;
  halfClosing: Pick<LoadResult, "requests" | "failures">;
  deployedMs: number[];
  upgradedMs: number[];
  /** From the first bad answer of a release to its last answer of any kind. */
  returnedMs: number[];
}

const slowSeconds = 25;
const options = ["-i", "1", "-l", "info", "--handover"];
export const healthTimeoutMs = 5_000;
/** A bake that is long enough for what the bad releases do. */
const watching = [
  ...[...options, "--health-path", "/healthz", "--bake", "20s"],
  ...["--health-timeout", `${healthTimeoutMs / 1000}s`],
];

/** Deployments and upgrades in turns, then releases that get ill while they are watched. */
export async function deployUnderLoad(stage: Stage, rounds: Rounds, print: Print): Promise<Played> {
  const port = await freePort();
  const app = `http://127.0.0.1:${port}/`;
  await stage.push("v1.0.0");
  const agents = await openAgents(stage, port);
  await isAnswering(app, " v1.0.0 ");
  const load = startLoad({ url: app, keepAlive: 12, fresh: 4 });
  const slow = startLoad({ url: `${app}slow?seconds=${slowSeconds}`, keepAlive: 0, fresh: 1 });
  const halfClosing = startHalfClosing(`${app}slow?seconds=2`);
  const deployedMs: number[] = [];
  const upgradedMs: number[] = [];
  const returnedMs: number[] = [];

  for (let count = 1; count <= rounds.deployments; count++) {
    deployedMs.push(await deployed(stage, app, `v1.${count}.0`));
    print(`v1.${count}.0 answers ${deployedMs.at(-1)?.toFixed(0)} ms after the push began`);
    if (Math.floor((count * rounds.upgrades) / rounds.deployments) <= upgradedMs.length) continue;
    upgradedMs.push(await agents.next(load.soFar, options));
    print(`upgraded: the next agent's app answers after ${upgradedMs.at(-1)?.toFixed(0)} ms`);
  }
  await agents.next(load.soFar, watching);
  for (let count = 1; count <= rounds.rollbacks; count++) {
    returnedMs.push(await returned(stage, load.soFar, `v2.${count}.0`, agents.log));
    print(`v2.${count}.0 was taken back ${returnedMs.at(-1)?.toFixed(0)} ms after it got ill`);
  }
  await until(
    "there were enough requests",
    async () => {
      return load.soFar.requests >= rounds.leastRequests;
    },
    600_000,
  );
  const [quick, long, half] = await Promise.all([load.stop(), slow.stop(), halfClosing.stop()]);
  return {
    requests: quick.requests + long.requests + half.requests,
    failures: [...quick.failures, ...long.failures, ...half.failures],
    ...{ slow: long, halfClosing: half, deployedMs, upgradedMs, returnedMs },
  };
}

async function deployed(stage: Stage, app: string, tag: string): Promise<number> {
  const began = performance.now();
  await stage.push(tag);
  await isAnswering(app, ` ${tag} `);
  return performance.now() - began;
}

/** Two versions of Dewy that follow one another, every other one by kill -9. */
async function openAgents(stage: Stage, port: number) {
  const programs = [await stage.upgraded("98.0.0"), await stage.upgraded("99.0.0")];
  let count = 0;
  let agent: Running = stage.startAgent(port, options, { program: programs[0] });
  return {
    log: () => agent.log(),

    /** Resolves to the time from the end of the last one to the first answer of the next one's app. */
    async next({ answers }: LoadResult, given: readonly string[]): Promise<number> {
      const began = performance.now();
      await inService(agent); // an app is not waited for twice
      count++;
      const before = answers.size;
      agent.process.kill(count % 2 === 0 ? "SIGKILL" : "SIGTERM");
      await until("the agent has ended", async () => {
        return agent.process.exitCode !== null || agent.process.signalCode !== null;
      });
      agent = stage.startAgent(port, given, { program: programs[count % 2] });
      await until("the next agent's app answers", async () => answers.size > before);
      return performance.now() - began;
    },
  };
}

const inService = (agent: Running) =>
  until("an app is in service", async () => agent.log().includes("Generation in service"));

/** From its first bad answer to the last that anybody had from it. */
async function returned(
  stage: Stage,
  { lastSeen }: LoadResult,
  tag: string,
  log: () => string,
): Promise<number> {
  const note = join(stage.directory, `ill-${tag}`);
  await stage.push(tag, { "server.js": await illAfterAWhile(note) });
  await until(
    `${tag} was taken back`,
    async () => log().includes(`Deployment rolled back" tag=${tag}`),
    60_000,
  );
  const illAt = Number(await readFile(note, "utf8"));
  const last = () =>
    Math.max(...[...lastSeen].filter(([body]) => body.includes(` ${tag} `)).map(([, at]) => at));
  await until(`${tag} answers no more`, async () => Date.now() - last() > 1_000);
  return last() - illAt;
}

/** The sample app, whose health is bad from two seconds after it was asked for it first. */
async function illAfterAWhile(note: string): Promise<string> {
  const program = await readFile(built("examples/sample-app/server.js"), "utf8");
  const source = program.replace(/^#!.*/, "");
  const start = "createServer((request, response) => {";
  if (!source.includes(start)) throw new Error("the sample app begins its answers otherwise");
  return `import { existsSync, writeFileSync } from "node:fs";
let asked;
function isIll() {
  asked ??= Date.now();
  if (Date.now() - asked < 2000) return false;
  if (!existsSync(${JSON.stringify(note)})) writeFileSync(${JSON.stringify(note)}, String(Date.now()));
  return true;
}
${source.replace(
  start,
  `${start}
    if (request.url === "/healthz" && isIll()) return void response.writeHead(500).end();`,
)}`;
}

function startHalfClosing(url: string) {
  const soFar = { requests: 0, failures: [] as string[] };
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      soFar.requests++;
      const answer = await askHalfClosing(url).catch(String);
      if (!answer.includes("sample-app"))
        soFar.failures.push(`half-closing: ${answer || "nothing"}`);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
      return soFar;
    },
  };
}

async function isAnswering(app: string, text: string): Promise<void> {
  await until(`${app} answers with ${text}`, async () => (await ask(app)).body.includes(text));
}
