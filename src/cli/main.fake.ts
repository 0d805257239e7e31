import { systemClock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Plan } from "./command.ts";
import { main } from "./main.ts";

export interface Answer {
  status: number;
  printed: string[];
  noted: string[];
  /** What would have been run; `undefined` where it did not come so far. */
  plan: Plan | undefined;
}

/** `dewy` with `args`, up to the point where an agent would begin. */
export async function planned(
  args: readonly string[],
  { environment = {}, directory = "/srv" }: { environment?: Environment; directory?: string } = {},
): Promise<Answer> {
  const printed: string[] = [];
  const noted: string[] = [];
  let plan: Plan | undefined;
  const context = {
    print: (line: string) => printed.push(line),
    note: (line: string) => noted.push(line),
    terminal: undefined,
    ...{ environment, directory },
    signal: AbortSignal.timeout(60_000),
    onRestart: () => () => {},
    clock: systemClock,
  };
  const status = await main(args, context, async (given) => {
    plan = given;
  });
  return { status, printed, noted, plan };
}
