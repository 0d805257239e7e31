/** Several sources read at once, each as fast as what comes of it is taken. */
export interface Joined<Item> extends AsyncIterable<Item> {
  /** One more, also while the others are read. */
  add(source: AsyncIterable<Item>): void;
}

interface Offer<Item> {
  item: Item;
  taken(): void;
}

/**
 * Ends when all sources have, and throws what the first of them throws. When the reader leaves, each
 * source is closed; one that waits, as soon as it has waited.
 */
export function openJoined<Item>(...sources: readonly AsyncIterable<Item>[]): Joined<Item> {
  const offers: Offer<Item>[] = [];
  const failures: unknown[] = [];
  let open = 0;
  let isOver = false;
  let wake = () => {};
  const joined = { add, [Symbol.asyncIterator]: items };
  for (const source of sources) add(source);
  return joined;

  function add(source: AsyncIterable<Item>): void {
    open++;
    void offerAll(source)
      .catch((error) => failures.push(error))
      .finally(() => {
        open--;
        wake();
      });
  }

  async function offerAll(source: AsyncIterable<Item>): Promise<void> {
    for await (const item of source) {
      if (isOver) return;
      await new Promise<void>((taken) => {
        offers.push({ item, taken });
        wake();
      });
      if (isOver) return;
    }
  }

  async function* items(): AsyncGenerator<Item> {
    try {
      for (;;) {
        const offer = offers.shift();
        if (offer) {
          try {
            yield offer.item;
          } finally {
            offer.taken();
          }
        } else if (failures.length > 0) throw failures[0];
        else if (open === 0) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      isOver = true;
      for (const { taken } of offers.splice(0)) taken();
    }
  }
}
