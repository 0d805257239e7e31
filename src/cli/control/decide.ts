import { userInfo } from "node:os";
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

/**
 * Who is asking, for the ledger: behind `sudo`, the one who called that. Not what the agent could know
 * by itself: whoever may use the socket may say anything, and may as well write into the ledger.
 */
export function askerOf({ environment }: Pick<CommandContext, "environment">): string {
  const { SUDO_USER, SUDO_UID, USER, LOGNAME } = environment;
  const { username, uid } = account();
  if (SUDO_USER && uid === 0) {
    const whose = SUDO_UID ? `uid ${SUDO_UID}, ` : "";
    return `${SUDO_USER} (${whose}by sudo)`.slice(0, 128);
  }
  const name = username ?? (USER || LOGNAME || "somebody");
  return `${name}${uid === undefined ? "" : ` (uid ${uid})`}`.slice(0, 128);
}

/** One without an entry in the system's list of users has a number all the same. */
function account(): { username?: string | undefined; uid?: number | undefined } {
  const uid = process.getuid?.();
  try {
    return { username: userInfo().username, uid };
  } catch {
    return { uid };
  }
}
