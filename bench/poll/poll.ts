import { type IdleFigures, idleTable, measureIdle } from "./idle.ts";
import type { Subject } from "./subject.ts";
import { openGcs, openGithub, openGrpc, openHub, openOurs, openS3 } from "./subjects.ts";

/** What polling costs: of one agent whose registry has nothing new, and of a fleet that shares. */
export async function run(print: (line: string) => void): Promise<void> {
  const figures: IdleFigures[] = [];
  for (const open of [openGithub, openHub, openOurs, openS3, openGcs, openGrpc]) {
    figures.push(await withSubject(open, measureIdle));
  }
  for (const line of idleTable(figures)) print(line);
  if (figures.some(({ isFree, ours }) => isFree && ours.counted > 0)) process.exitCode = 1;
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
