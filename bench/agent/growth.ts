import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { publish } from "../publish.ts";
import { built, openStage } from "../stage.ts";
import { archivePath, packScript } from "./archive.ts";

export const growthPolls = 100_000;
export const mostGrowthMb = 15;
/** By then V8 has compiled what is run often, and its young generation is as large as it will be. */
const warmUpPolls = 5_000;

export interface GrowthReading {
  residentMb: number;
  residentAfterGcMb: number;
  heapMb: number;
}

export interface GrowthReport {
  /** Before and after. */
  readings: GrowthReading[];
  seconds: number;
}

/**
 * 100,000 polls of our registry by the whole agent, one after another: its clock alone is another, by
 * which ten seconds go by at once.
 */
export async function measureGrowth(polls = growthPolls): Promise<GrowthReport> {
  const stage = await openStage();
  try {
    const archive = archivePath(stage.directory, "v1.0.0");
    await packScript(archive, "#!/bin/sh\n");
    await publish(stage.registry, archive, { repositories: ["app"], tags: ["v1.0.0"] });
    const program = built("bench/agent/growth.program.js");
    const registry = `img://${stage.registry}/app`;
    const place = [registry, join(stage.directory, "app"), `${warmUpPolls}`, `${polls}`];
    const options = ["--expose-gc", program, ...place];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, options);
    const report = JSON.parse(stdout) as GrowthReport;
    if (report.readings.length !== 2) throw new Error(`there are not ${polls} polls: ${stderr}`);
    return report;
  } finally {
    await stage.close();
  }
}
