import type { Rolled } from "./fleet-record.ts";
import type { WavePlan, WaveSize } from "./wave-plan.ts";

export interface Fleet {
  /** They have begun to install it, or have it. */
  begun: readonly string[];
  /** Their turn is to come. */
  waiting: readonly string[];
  labelOf(id: string): string | undefined;
}

/**
 * Who is in which wave of `plan`: those who have begun first, then by a hash of host and release, so
 * that it is not always the same ones. Who bears the label of a wave is in that one, and in no other.
 */
export function wavesOf(plan: WavePlan, fleet: Fleet, of: Rolled): string[][] {
  const { begun, waiting, labelOf } = fleet;
  const labels = new Set(plan.flatMap((wave) => ("label" in wave ? [wave.label] : [])));
  const inOrder = [...begun, ...shuffled(waiting, of)];
  const isReserved = (id: string) => labels.has(labelOf(id) ?? "");
  const free = inOrder.filter((id) => !isReserved(id));
  const all = inOrder.length;
  let placed = 0;
  return plan.map((size, index) => {
    const isLast = index === plan.length - 1;
    const wave =
      "label" in size
        ? inOrder.filter((id) => labelOf(id) === size.label)
        : free.splice(0, isLast ? free.length : Math.max(0, upTo(size, all) - placed));
    placed += wave.length;
    return wave;
  });
}

/** How many have it after a wave of this size. */
function upTo(size: WaveSize, all: number): number {
  if ("hosts" in size) return size.hosts;
  return "percent" in size ? Math.ceil((size.percent * all) / 100) : 0;
}

function shuffled(ids: readonly string[], { tag, identity }: Rolled): string[] {
  return ids
    .map((id) => ({ id, hash: hashOf(`${id}\n${tag}\n${identity}`) }))
    .sort((one, other) => one.hash - other.hash || (one.id < other.id ? -1 : 1))
    .map(({ id }) => id);
}

/** FNV-1a, and a last mixing: the same on every host, and a thousand of them in no time. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
