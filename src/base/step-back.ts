import { setPriority } from "node:os";

/** What `nice` takes away unless told. */
const niceness = 10;

/** Lets all others go first where the processor is short: for this thread only, which Linux can. */
export function stepBack(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, niceness);
  } catch {
    // It is allowed everywhere; where it is not, the work is no less right.
  }
}
