import type { Digest } from "../../oci/digest.ts";
import type { StoragePath } from "../storage-driver.ts";

const mostRemembered = 1000;

/**
 * What tags meant before they were moved by pushes that were undone once the tags had moved on: who
 * moved them next took what is gone for what they meant. A move is known by the link that notes it.
 */
export class UndoneMoves {
  readonly #before = new Map<StoragePath, Digest | undefined>();

  note(move: StoragePath, before: Digest | undefined): void {
    this.#before.delete(move);
    this.#before.set(move, before);
    const [oldest] = this.#before.keys();
    if (this.#before.size > mostRemembered && oldest) this.#before.delete(oldest);
  }

  take(move: StoragePath): Digest | undefined {
    const before = this.#before.get(move);
    this.#before.delete(move);
    return before;
  }
}
