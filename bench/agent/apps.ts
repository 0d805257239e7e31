import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { publish } from "../publish.ts";
import { openStage, run as runDewy, type Stage, until } from "../stage.ts";
import { archivePath, packScript } from "./archive.ts";
import { cpuSeconds, type Memory, memoryOf } from "./process-figures.ts";

const baseMb = 80;
const eachMb = 2;
const mostDeployingMs = 120_000;
const settleMs = 10_000;
const measureSeconds = 20;

export interface AppsFigures extends Memory {
  apps: number;
  cpuPerPollMs: number;
  mostMb: number;
}

/**
 * One `dewy run` that keeps so many apps up, each with a repository of its own in our registry, polled
 * every second. The apps are shell scripts that wait, as what they need themselves is not the agent's.
 */
export async function measureApps(apps: number): Promise<AppsFigures> {
  const stage = await openStage();
  try {
    const names = Array.from({ length: apps }, (_, index) => `app-${index}`);
    const archive = archivePath(stage.directory, "v1.0.0");
    await packScript(archive, "#!/bin/sh\nexec sleep 1000000\n");
    await publish(stage.registry, archive, { repositories: names, tags: ["v1.0.0"] });
    await writeFile(join(stage.directory, "dewy.yaml"), configFor(stage, names));
    const agent = runDewy(["run", "-l", "info", "dewy.yaml"], stage.directory);
    try {
      let deployed = 0;
      await until(
        `${apps} apps are deployed`,
        async () => {
          deployed = agent.log().split(`msg="Start server"`).length - 1;
          return deployed >= apps;
        },
        mostDeployingMs,
      );
      return await measured(agent.process.pid ?? 0, apps);
    } finally {
      await agent.stop();
    }
  } finally {
    await stage.close();
  }
}

async function measured(pid: number, apps: number): Promise<AppsFigures> {
  await sleep(settleMs);
  const before = await cpuSeconds(pid);
  await sleep(measureSeconds * 1000);
  const cpuPerPollMs = (((await cpuSeconds(pid)) - before) / (measureSeconds * apps)) * 1000;
  return { apps, cpuPerPollMs, mostMb: baseMb + eachMb * apps, ...(await memoryOf(pid)) };
}

function configFor({ registry }: Stage, names: readonly string[]): string {
  const lines = names.map(
    (name) =>
      `  ${name}: {registry: "img://${registry}/${name}", directory: ${name}, command: [current/app.sh]}`,
  );
  return ["interval: 1", "apps:", ...lines, ""].join("\n");
}
