import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice } from "../choose/choose.ts";
import { type Wait, waitFor } from "../choose/wait.ts";
import type { Window } from "../choose/window.ts";
import type { ReplicasView } from "../containers/replicas-view.ts";
import type { Mode, Observe } from "../event.ts";
import type { Group } from "../groups/group.ts";
import { sharedLedger } from "../groups/membership.ts";
import { notePinned, pinAt } from "../ledger/holds.ts";
import type { DecidedBy, Ledger } from "../ledger/ledger.ts";
import { type Asking, controlOf, type Look } from "./commands.ts";
import { type ControlSocket, openControlSocket } from "./control-socket.ts";
import { replicasOf } from "./replicas-situation.ts";
import { openRhythm } from "./rhythm.ts";
import { openSituationBoard } from "./situation-board.ts";

export interface AppControlOptions {
  name: string;
  mode: Mode;
  directory: string;
  /** Without secrets. */
  registryName: string;
  windows?: readonly Window[] | undefined;
  minimumAgeMs?: number | undefined;
}

export interface AppControlParts {
  ledger: Ledger;
  observe: Observe;
  clock: Clock;
  logger: Logger;
  version: string;
  /** The group of the app, where it has one: decisions are about all of it. */
  group?: Group | undefined;
}

/** What lets somebody in another terminal ask about one app, and decide about it. */
export interface AppControl {
  /** Takes every event of the app in, and passes it on. */
  observe: Observe;
  /** Between two polls. */
  rest(ms: number, call: Call): Promise<void>;
  /** Notes which bytes a pin means. */
  seen(choice: Choice): Promise<void>;
  /** Why the choice is not to be installed yet, which is told to whoever asks. */
  waits(choice: Choice, others: OtherWaits | undefined, call: Call): Promise<Wait | undefined>;
  /** What has made the agent deploy it. */
  decidedBy(choice: Choice): DecidedBy;
  /** Whether somebody wants a release at once, whatever else was decided. */
  isUrgent(): boolean;
  /** The same of windows and age alone. */
  waitOf(choice: Choice): Promise<Wait | undefined>;
  /** Has the app looked after once more, whatever it does now. */
  wake(call: Call): void;
  /** What can be seen of the app's containers. */
  show(view: ReplicasView): void;
  listen(look: Look, others: OtherWaits | undefined): Promise<ControlSocket>;
}

/** What else a choice may have to wait for, once its time has come. */
export interface OtherWaits {
  waits(choice: Choice, call: Call): Promise<Wait | undefined>;
  /** The same, before anything is begun. */
  peek(choice: Choice, call: Call): Promise<Wait | undefined>;
}

export function openAppControl(
  {
    name: app,
    mode,
    directory,
    registryName: registry,
    windows = [],
    minimumAgeMs = 0,
  }: AppControlOptions,
  { ledger, observe, clock, logger, version, group }: AppControlParts,
): AppControl {
  const rhythm = openRhythm(clock);
  const board = openSituationBoard({
    ...{ app, mode, directory, registry, version, clock, group: group?.options },
    state: () => ledger.state,
    nextPollAt: () => rhythm.nextAt,
  });
  const rules = { windows, minimumAgeMs };
  let view: ReplicasView | undefined;
  const asking = new Set<Asking>();
  let waited: string | undefined;
  return {
    observe(event) {
      board.observe(event);
      observe(event);
    },
    rest: (ms, call) => rhythm.rest(ms, call),
    show(shown) {
      view = shown;
    },
    isUrgent: () => [...asking].some(({ urgent }) => urgent),
    waitOf: async (choice) => waitOf(choice),
    wake: (call) => void rhythm.pass(call).catch(() => {}),
    decidedBy,
    async seen({ tag, artifact: { identity } }) {
      const { pinned } = ledger.state;
      if (pinned?.tag !== tag || pinned.identity !== undefined) return;
      await ledger.update((state) => notePinned(state, { tag, identity }));
    },
    async waits(choice, others, call) {
      const wait = waitOf(choice) ?? (await others?.waits(choice, call));
      board.waits(wait);
      if (wait) waited = wait.tag;
      if (wait && rules.minimumAgeMs > 0 && !choice.release.publishedAt) await noteSeen(choice);
      return wait;
    },
    listen(look, others) {
      const parts = {
        ledger: sharedLedger(ledger, group, app),
        clock,
        logger,
        rhythm,
        look,
        asked,
        waitOf: async (choice: Choice, call: Call) =>
          waitOf(choice) ?? (await others?.peek(choice, call)),
        situation: board.situation,
        replicas: async (call: Call) => view && replicasOf(view, call),
      };
      return openControlSocket(directory, controlOf(parts), { clock, logger });
    },
  };

  function waitOf(choice: Choice): Wait | undefined {
    return waitFor(choice, rules, ledger.state, clock.now());
  }

  /** From then on it grows older, through restarts too. */
  async function noteSeen({ tag, artifact: { identity } }: Choice): Promise<void> {
    const { seen } = ledger.state;
    if (seen?.tag === tag && seen.identity === identity) return;
    const at = clock.now().toISOString();
    await ledger.update((state) => ({ ...state, seen: { tag, identity, at } }));
  }

  async function asked<Result>(one: Asking, work: () => Promise<Result>): Promise<Result> {
    asking.add(one);
    try {
      return await work();
    } finally {
      asking.delete(one);
    }
  }

  function decidedBy({ tag }: Choice): DecidedBy {
    const pin = pinAt(ledger.state, clock.now());
    const [first] = asking;
    const person = pin?.tag === tag ? pin : first;
    if (person) {
      const { by: name, reason } = person;
      return { kind: "person", name, ...(reason && { reason }) };
    }
    return { kind: tag === waited ? "wait" : "poll" };
  }
}
