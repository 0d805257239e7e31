import { join } from "node:path";
import { askAgent } from "../../agent/control/control-client.ts";
import { ControlError } from "../../agent/control/control-error.ts";
import { Situation } from "../../agent/control/situation.ts";
import { recorded } from "../../agent/control/situation-board.ts";
import { readLedger } from "../../agent/ledger/ledger.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { AppPlace } from "./place.ts";

/** What its agent says about the app; where none runs, what the last one has left. */
export async function situationOf(
  place: AppPlace,
  { clock, ...call }: Call & { clock: Clock },
): Promise<Situation> {
  try {
    return await askAgent(place.directory, "status", {}, Situation, call);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== "NO_AGENT") throw error;
    const state = await readLedger(join(place.directory, ".dewy", "ledger.json"));
    return recorded(place, state, clock.now());
  }
}
