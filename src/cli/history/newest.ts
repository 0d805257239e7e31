/** The last of `source`, at most `limit`, and how many came before them. */
export async function newestOf<Item>(
  source: AsyncIterable<Item>,
  limit: number,
): Promise<{ items: readonly Item[]; leftOut: number }> {
  let items: Item[] = [];
  let leftOut = 0;
  for await (const item of source) {
    items.push(item);
    if (items.length < 2 * limit) continue;
    leftOut += items.length - limit;
    items = items.slice(-limit);
  }
  const surplus = Math.max(0, items.length - limit);
  return { items: items.slice(surplus), leftOut: leftOut + surplus };
}
