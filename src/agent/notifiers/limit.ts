/** The number of errors that are told before there is silence. */
const mostTold = 3;

export interface CountedError {
  /** From 1. */
  count: number;
  /** No more are told after this one. */
  isLast: boolean;
}

/** Counts errors, so that what fails every ten seconds is told three times and not all night. */
export interface ErrorLimit {
  /** Counts one; `undefined` when enough were told. */
  next(): CountedError | undefined;
  /** Begins anew, and says how many there were. */
  reset(): number;
}

export function openErrorLimit(): ErrorLimit {
  let count = 0;
  return {
    next() {
      count++;
      return count > mostTold ? undefined : { count, isLast: count === mostTold };
    },
    reset() {
      const counted = count;
      count = 0;
      return counted;
    },
  };
}
