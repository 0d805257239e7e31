import { setTimeout as sleep } from "node:timers/promises";
import { styleText } from "node:util";
import { freePort } from "../../bench/free-port.ts";
import { ask, startLoad } from "../../bench/load.ts";
import { openStage, until } from "../../bench/stage.ts";

/**
 * The main job, on embedded defaults: a release is pushed to our own registry, the agent deploys
 * it, and the next one replaces it while requests keep coming. `--once` ends after that.
 */
const once = process.argv.includes("--once");
const stopping = new Promise<void>((resolve) => {
  process.once("SIGINT", resolve);
  process.once("SIGTERM", resolve);
});

step("Starting the image registry");
const stage = await openStage();
try {
  process.exitCode = await play();
} catch (error) {
  say(styleText("red", error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
} finally {
  await stage.close();
}

async function play(): Promise<number> {
  say(`http://${stage.registry}/v2/  stores in ${stage.directory}/registry`);

  step("Pushing sample-app v1.0.0");
  say(await stage.push("v1.0.0"));

  step("Starting the agent");
  const port = await freePort();
  const app = `http://127.0.0.1:${port}/`;
  say(stage.startAgent(port).commandLine);
  await answers(app, "v1.0.0");

  step("Pushing v1.1.0 while 10 clients keep asking");
  const load = startLoad({ url: app, keepAlive: 8, fresh: 2 });
  say(await stage.push("v1.1.0"));
  await answers(app, "v1.1.0");
  await sleep(2000);
  const { requests, failures, answers: given } = await load.stop();
  for (const [answer, count] of given) say(`${String(count).padStart(7)} × ${answer}`);
  say(`${requests} requests meanwhile, ${styleText("bold", `${failures.length} failed`)}`);
  if (failures.length > 0) return 1;
  if (once) return 0;

  step("Running, until you press Ctrl-C");
  say(`the app       ${app}`);
  say(`the registry  http://${stage.registry}/v2/_catalog`);
  say(`on disk       ${stage.directory}`);
  await stopping;
  step("Stopping");
  return 0;
}

async function answers(app: string, version: string): Promise<void> {
  let answer = "";
  await until(`${app} answers with ${version}`, async () => {
    answer = (await ask(app)).body;
    return answer.includes(` ${version} `);
  });
  say(`${app} answers: ${styleText("green", answer)}`);
}

function step(text: string): void {
  process.stdout.write(`\n${styleText("bold", `● ${text}`)}\n`);
}

function say(text: string): void {
  process.stdout.write(`  ${text}\n`);
}
