import { join } from "node:path";
import { askAgent } from "../../agent/control/control-client.ts";
import { ControlError } from "../../agent/control/control-error.ts";
import { Outcome, type RequestOf } from "../../agent/control/control-request.ts";
import { type DecisionName, decide } from "../../agent/control/decisions.ts";
import { withKept } from "../../agent/kept.ts";
import type { LedgerState } from "../../agent/ledger/ledger.ts";
import { silentLogger } from "../../base/logger.ts";
import { statsOf } from "../../base/path-stats.ts";
import type { CommandContext } from "../command.ts";
import type { AppPlace } from "./place.ts";

/** Has the agent take a decision down; where none runs, it is written into the ledger for the next. */
export async function decideAbout<Name extends DecisionName>(
  { directory }: AppPlace,
  name: Name,
  asked: RequestOf<Name>,
  context: CommandContext,
): Promise<Outcome> {
  try {
    return await askAgent(directory, name, asked, Outcome, context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== "NO_AGENT") throw error;
    if (!(await statsOf(join(directory, ".dewy")))) throw error;
  }
  const { clock } = context;
  const work = decide[name] as (
    state: LedgerState,
    asked: RequestOf<Name>,
    now: Date,
  ) => { state: LedgerState; said: string };
  return withKept(directory, { clock, logger: silentLogger }, context, async ({ ledger }) => {
    const { state, said } = work(ledger.state, asked, clock.now());
    await ledger.update(() => state);
    return { said: `${said} No agent runs here now: the next one knows of it.` };
  });
}

/** Who is asking, for the ledger: behind `sudo`, the one who called that. */
export function askerOf({ environment }: CommandContext): string {
  const { SUDO_USER, USER, LOGNAME } = environment;
  return (SUDO_USER || USER || LOGNAME || "somebody").slice(0, 128);
}
