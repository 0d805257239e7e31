/** Names in the order of their bytes, each ended by a line break. */
export type SortedRun = Buffer;

/** The next name of a run. */
interface Head {
  run: SortedRun;
  name: string;
  /** Where the name after it begins. */
  next: number;
}

const newline = 0x0a;

/** No name has a line break in it. */
export function sortedRun(names: readonly string[]): SortedRun {
  return Buffer.from(names.length === 0 ? "" : `${names.toSorted().join("\n")}\n`);
}

/** The first `count` names of all runs that come after `after`, in order. */
export function firstNames(
  runs: readonly SortedRun[],
  { after, count }: { after: string | undefined; count: number },
): string[] {
  const starts = runs.map((run) => headAt(run, placeAfter(run, after)));
  const heads = starts.filter((head) => head !== undefined);
  heads.sort((one, other) => (one.name < other.name ? -1 : 1));
  const found: string[] = [];
  while (found.length < count) {
    const head = heads.shift();
    if (head === undefined) break;
    found.push(head.name);
    const next = headAt(head.run, head.next);
    if (next !== undefined) heads.splice(placeAmong(heads, next.name), 0, next);
  }
  return found;
}

function headAt(run: SortedRun, begin: number): Head | undefined {
  if (begin >= run.length) return undefined;
  const end = run.indexOf(newline, begin);
  return { run, name: run.toString("utf8", begin, end), next: end + 1 };
}

/** Looks for the place by halving, as a line begins wherever one ends. */
function placeAfter(run: SortedRun, after: string | undefined): number {
  let [low, high] = [0, run.length];
  while (after !== undefined && low < high) {
    const middle = Math.floor((low + high) / 2);
    const begin = middle === 0 ? 0 : run.lastIndexOf(newline, middle - 1) + 1;
    const end = run.indexOf(newline, begin);
    if (run.toString("utf8", begin, end) <= after) low = end + 1;
    else high = begin;
  }
  return low;
}

function placeAmong(heads: readonly Head[], name: string): number {
  let [low, high] = [0, heads.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((heads[middle]?.name ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
