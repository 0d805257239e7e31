import type { Call } from "../base/call.ts";

export type Closer = (call: Call) => Promise<void>;

/** Closes what has been opened so far, what was opened last first. */
export interface Closers {
  add(close: Closer): void;
  /** For what has to hear of everything else. */
  addLastToClose(close: Closer): void;
  close(call: Call): Promise<void>;
}

export function openClosers(): Closers {
  const all: Closer[] = [];
  return {
    add: (close) => void all.push(close),
    addLastToClose: (close) => void all.unshift(close),
    async close(call) {
      for (const close of all.reverse()) await close(call);
    },
  };
}
