import { type Clock, isWithin } from "../../base/clock.ts";

/** What is found by a name, asked for once in a while however many want to know. */
export interface Remembered<Value> {
  find(name: string): Promise<Value | undefined>;
}

const maximumEntries = 4_096;

/** Remembers what `find` found for so long; never that there was nothing, nor that it failed. */
export function rememberedFor<Value>(
  rememberedMs: number,
  find: (name: string) => Promise<Value | undefined>,
  clock: Clock,
): Remembered<Value> {
  const known = new Map<string, { value: Value; sinceMs: number }>();
  const underWay = new Map<string, Promise<Value | undefined>>();

  return {
    async find(name) {
      const entry = known.get(name);
      const limitMs = rememberedMs;
      if (entry && isWithin({ limitMs, sinceMs: entry.sinceMs }, clock)) return entry.value;
      known.delete(name);
      const asked = underWay.get(name) ?? found(name);
      underWay.set(name, asked);
      return await asked;
    },
  };

  async function found(name: string): Promise<Value | undefined> {
    try {
      const sinceMs = clock.now().getTime();
      const value = await find(name);
      if (value !== undefined) remember(name, { value, sinceMs });
      return value;
    } finally {
      underWay.delete(name);
    }
  }

  function remember(name: string, entry: { value: Value; sinceMs: number }): void {
    const [oldest] = known.keys();
    if (known.size >= maximumEntries && oldest !== undefined) known.delete(oldest);
    known.set(name, entry);
  }
}
