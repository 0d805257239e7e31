import { type Call, orAborted } from "./call.ts";
import type { Clock } from "./clock.ts";

export interface Expiring<Value> {
  value: Value;
  expiresAt: Date;
}

export interface Renewed<Value> {
  /** One that is good for a while yet. However many ask, it is fetched once for all of them. */
  current(call: Call): Promise<Value>;
  /** Does not hand out `value` again, as it was refused. */
  forget(value: Value): void;
}

interface Fetching<Value> {
  result: Promise<Value>;
  waiting: number;
  stop: AbortController;
}

/** Keeps what `fetch` brought until `marginMs` before it expires, and then fetches another. */
export function openRenewed<Value>({
  fetch,
  marginMs,
  clock,
}: {
  fetch(call: Call): Promise<Expiring<Value>>;
  marginMs: number;
  clock: Clock;
}): Renewed<Value> {
  let kept: Expiring<Value> | undefined;
  let fetching: Fetching<Value> | undefined;

  return {
    async current({ signal }) {
      signal.throwIfAborted();
      const leftMs = kept ? kept.expiresAt.getTime() - clock.now().getTime() : 0;
      if (kept && leftMs > marginMs) return kept.value;
      fetching ??= begin();
      const joined = fetching;
      joined.waiting++;
      try {
        return await orAborted(joined.result, signal);
      } finally {
        joined.waiting--;
        if (joined.waiting === 0) end(joined);
      }
    },

    forget(value) {
      if (kept?.value === value) kept = undefined;
    },
  };

  /** With a call of its own: who asked first may give up while others still wait. */
  function begin(): Fetching<Value> {
    const stop = new AbortController();
    const result = fetch({ signal: stop.signal }).then((found) => {
      kept = found;
      return found.value;
    });
    return { result, waiting: 0, stop };
  }

  function end(joined: Fetching<Value>): void {
    if (fetching === joined) fetching = undefined;
    joined.stop.abort(); // of no effect unless the last one has given up
  }
}
