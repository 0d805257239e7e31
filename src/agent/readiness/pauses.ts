const betweenLooksMs = 250;
/** A shorter one is a busy moment, and changes no answer. */
const shortestMs = 1_000;

/** Sees when this process does not run: it was stopped, or its host was suspended or far too busy. */
export interface Pauses {
  /** For how long it did not run since this was asked last; 0 where it always did. */
  takeMs(): number;
  close(): void;
}

/** Not by the clock of the program, which somebody may set: that is no pause of this process. */
export function watchPauses(): Pauses {
  let lookedAt = performance.now();
  let pausedMs = 0;
  const look = () => {
    const now = performance.now();
    const lateMs = now - lookedAt - betweenLooksMs;
    if (lateMs >= shortestMs) pausedMs += lateMs;
    lookedAt = now;
  };
  const timer = setInterval(look, betweenLooksMs);
  timer.unref();

  return {
    takeMs() {
      look();
      const takenMs = pausedMs;
      pausedMs = 0;
      return takenMs;
    },
    close() {
      clearInterval(timer);
    },
  };
}
