import type { Call } from "../../base/call.ts";
import type { PlaceStep, StorageDriver } from "../storage-driver.ts";

/** `placeInTurn` by `place`: for a storage that has no medium to wait for. */
export async function placedInTurn(
  { place }: Pick<StorageDriver, "place">,
  steps: readonly PlaceStep[],
  { signal }: Call,
): Promise<(number | undefined)[][]> {
  const done: (number | undefined)[][] = [];
  for (const { files, touch } of steps) {
    const sizes = await place(files, { touch, signal });
    done.push(sizes);
    if (sizes.includes(undefined)) break;
  }
  return done;
}
