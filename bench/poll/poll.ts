import { type FleetFigures, fleetTable, isPromiseKept, measureFleet } from "./fleet.ts";
import { type IdleFigures, idleTable, measureIdle } from "./idle.ts";
import { startRedis } from "./redis.ts";
import type { Subject } from "./subject.ts";
import { openGcs, openGithub, openGrpc, openHub, openOurs, openS3 } from "./subjects.ts";

const subjects = [openGithub, openHub, openOurs, openS3, openGcs, openGrpc];

/** What polling costs: of one agent whose registry has nothing new, and of a fleet that shares. */
export async function run(print: (line: string) => void): Promise<void> {
  const figures: IdleFigures[] = [];
  for (const open of subjects) {
    figures.push(await withSubject(open, measureIdle));
  }
  for (const line of idleTable(figures)) print(line);
  if (figures.some(({ isFree, ours }) => isFree && ours.counted > 0)) process.exitCode = 1;
  print("");
  await runFleets(print);
}

async function runFleets(print: (line: string) => void): Promise<void> {
  const redis = await startRedis();
  if (redis === undefined) {
    print("redis-server is not on this machine: fleets are not measured");
    process.exitCode = 1;
    return;
  }
  const figures: FleetFigures[] = [];
  try {
    for (const open of subjects) {
      for (const agents of [1, 100]) {
        const measure = (subject: Subject) => measureFleet(subject, redis.port, agents);
        figures.push(await withSubject(open, measure));
      }
    }
  } finally {
    await redis.stop();
  }
  for (const line of fleetTable(figures)) print(line);
  if (!figures.every(isPromiseKept)) process.exitCode = 1;
}

async function withSubject<Result>(
  open: () => Promise<Subject>,
  work: (subject: Subject) => Promise<Result>,
): Promise<Result> {
  const subject = await open();
  try {
    return await work(subject);
  } finally {
    await subject.close();
  }
}
