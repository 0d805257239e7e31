import * as v from "valibot";
import { removeDrafts, writeFileWhole } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { readKept } from "../../base/kept-json.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import { openTurns } from "../../base/turns.ts";

const backoff = { firstMs: 1_000, maximumMs: 60_000 };
/** Who was up for so long has not crashed at its start. */
const wellAfterMs = 60_000;

/** When a replica that has ended may be started again: soon, then later and later. */
export interface Restarts {
  /** One has ended that was up for `uptimeMs`; `index` is its place among the replicas. */
  note(uptimeMs: number, index?: number): void;
  /** How long nobody is to be started, from now on. */
  leftMs(): number;
  /** Something else is to run. */
  forget(): void;
  /** How often one has ended or was not started, in one place or in all, since something else was to run. */
  countOf(index?: number): number;
}

/** Those that outlive the agent. */
export interface KeptRestarts extends Restarts {
  /** Resolves when what was noted is on the disk, or could not be written. */
  kept(): Promise<void>;
}

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const State = v.object({
  version: v.literal(1),
  /** In a row. */
  count: Count,
  notBefore: v.pipe(v.string(), v.isoTimestamp()),
  /** By their places. */
  counts: v.array(v.tuple([v.number(), Count])),
});
type State = v.InferOutput<typeof State>;

/** Goes on from `before`; `changed` is told of each change. */
export function countRestarts(
  before: State | undefined,
  { clock, changed }: { clock: Clock; changed?: (state: State) => void },
): Restarts {
  let count = before?.count ?? 0;
  let notBefore = performance.now() + waitOf(before?.notBefore, clock);
  const counts = new Map<number, number>(before?.counts);
  const leftMs = () => Math.max(0, notBefore - performance.now());
  return {
    leftMs,
    countOf: (index) =>
      index === undefined
        ? [...counts.values()].reduce((sum, each) => sum + each, 0)
        : (counts.get(index) ?? 0),
    note(uptimeMs, index) {
      if (index !== undefined) counts.set(index, (counts.get(index) ?? 0) + 1);
      count = uptimeMs >= wellAfterMs ? 1 : count + 1;
      notBefore = performance.now() + backoffMs(backoff, count);
      tell();
    },
    forget() {
      if (count === 0 && counts.size === 0) return;
      count = 0;
      notBefore = 0;
      counts.clear();
      tell();
    },
  };

  function tell(): void {
    const at = new Date(clock.now().getTime() + leftMs()).toISOString();
    changed?.({ version: 1, count, notBefore: at, counts: [...counts] });
  }
}

/** Those that are kept at `path`: an agent that comes back waits as long as the one before it would have. */
export async function openRestarts(
  path: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<KeptRestarts> {
  await removeDrafts(path);
  const inOrder = openTurns();
  const trouble = "How often replicas have ended cannot be read, and is counted anew";
  const before = await readKept(State, path, { trouble, logger });
  const restarts = countRestarts(before, { clock, changed: save });
  return { ...restarts, kept: () => inOrder(async () => {}) };

  /** A full disk keeps nobody from being started again. */
  function save(state: State): void {
    void inOrder(() => writeFileWhole(path, `${JSON.stringify(state)}\n`)).catch((error) =>
      logger.debug("how often replicas have ended could not be kept", { path, error }),
    );
  }
}

/** Never longer than any wait, whatever the clock was meanwhile. */
function waitOf(notBefore: string | undefined, clock: Clock): number {
  if (notBefore === undefined) return 0;
  const leftMs = new Date(notBefore).getTime() - clock.now().getTime();
  return Math.min(Math.max(0, leftMs), backoff.maximumMs);
}
