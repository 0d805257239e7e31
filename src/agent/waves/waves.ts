import { createHash } from "node:crypto";
import { type Call, isEchoOf } from "../../base/call.ts";
import { openTurns } from "../../base/turns.ts";
import { CacheError } from "../cache.ts";
import type { Choice } from "../choose/choose.ts";
import type { Wait } from "../choose/wait.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { openFleet, type Visit, type WaveOptions, type WaveParts } from "./fleet.ts";
import { haltReason } from "./halts.ts";

export type { WaveOptions, WaveParts } from "./fleet.ts";

/** This host among those that install a release one wave after the other. */
export interface Waves {
  /** Why a release is not to be installed yet. When it may be, the others are told that it begins. */
  waits(choice: Choice, call: Call): Promise<Wait | undefined>;
  /** The same, without telling anybody. */
  peek(choice: Choice, call: Call): Promise<Wait | undefined>;
  /** Tells what has become of this host, and that it lives. Never fails but by the signal. */
  look(call: Call): Promise<void>;
  /** Looks again and again until the call ends, whatever else the host is busy with. */
  attend(call: Call): Promise<void>;
  /** What a host that runs nothing yet passes over: it takes the release before it. */
  holdsOn(state: Readonly<LedgerState>): Readonly<LedgerState>;
}

export const fleetKey = (...parts: readonly unknown[]): string =>
  `waves-${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)}`;

export function openWaves(options: WaveOptions, parts: WaveParts): Waves {
  const { ledger, clock } = parts;
  const inTurn = openTurns();
  const fleet = openFleet(options, parts);
  const trouble = openTrouble(parts);

  return {
    waits: (choice, call) => inTurn(() => ask(choice, call, fleet.visit)),
    peek: (choice, call) => inTurn(() => ask(choice, call, fleet.peek)),
    look: (call) => inTurn(() => look(call)),

    async attend(call) {
      for (;;) {
        await clock.sleep(fleet.beatMs * (0.9 + Math.random() * 0.2), call);
        await inTurn(() => look(call));
      }
    },

    holdsOn(state) {
      const halted = fleet.known()?.rollouts.filter(({ haltedBy }) => haltedBy) ?? [];
      if (state.active || halted.length === 0) return state;
      const at = clock.now().toISOString();
      const held = halted.map((rollout) => {
        return { tag: rollout.tag, by: "its rollout", at, reason: haltReason(rollout) };
      });
      return { ...state, skipped: [...(state.skipped ?? []), ...held] };
    },
  };

  async function look(call: Call): Promise<void> {
    try {
      await fleet.visit(undefined, call);
      trouble.over();
    } catch (error) {
      trouble.note(error, call);
    }
  }

  async function ask(choice: Choice, call: Call, work: Visit): Promise<Wait | undefined> {
    const { tag } = choice;
    try {
      const gate = await work(choice, call);
      trouble.over();
      if (gate?.reason === undefined) return undefined;
      const { reason, leftMs } = gate;
      const until = leftMs === undefined ? undefined : new Date(clock.now().getTime() + leftMs);
      return { tag, reason, until: until?.toISOString() };
    } catch (error) {
      const reason = `its wave cannot be known: ${trouble.note(error, call)}`;
      return ledger.state.active && { tag, reason, until: undefined };
    }
  }
}

/** Says once that the record cannot be had, and once that it can again. */
function openTrouble({ cache, logger }: Pick<WaveParts, "cache" | "logger">) {
  let failing = false;
  return {
    /** @throws what is no failure of the cache */
    note(error: unknown, call: Call): string {
      if (isEchoOf(call.signal, error) || !(error instanceof CacheError)) throw error;
      const fields = { cache: cache?.name, reason: error.message, hint: error.hint };
      if (!failing)
        logger.warn("The waves of the fleet cannot be known: nothing is installed", fields);
      failing = true;
      return error.message;
    },
    over(): void {
      if (failing) logger.info("The waves of the fleet are known again", { cache: cache?.name });
      failing = false;
    },
  };
}
