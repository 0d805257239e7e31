import type { Call } from "../../base/call.ts";
import type { PlacedStep, PlaceStep, StorageDriver } from "../storage-driver.ts";

/** `placeInTurn` by `place`: for a storage that has no medium to wait for. */
export async function placedInTurn(
  { place, readEach }: Pick<StorageDriver, "place" | "readEach">,
  steps: readonly PlaceStep[],
  { signal }: Call,
): Promise<PlacedStep[]> {
  const done: PlacedStep[] = [];
  for (const { files, touch, read: wanted } of steps) {
    const sizes = await place(files, { touch, signal });
    const read = wanted ? await readEach(wanted.paths, { ...wanted, signal }) : [];
    done.push({ sizes, read });
    if (!sizes.every(Boolean)) break;
  }
  return done;
}
