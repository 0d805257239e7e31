import { describe, expect, it, vi } from "vitest";
import { openJoined } from "./joined.ts";

describe("sources that are joined", () => {
  it("are all read to their ends, each in its order", async () => {
    const joined = openJoined(counting("a", 3), counting("b", 2));

    const items = await all(joined);

    expect(items.filter((item) => item.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
    expect(items.filter((item) => item.startsWith("b"))).toEqual(["b0", "b1"]);
  });

  it("may become more while they are read", async () => {
    const joined = openJoined(counting("a", 1));

    const items: string[] = [];
    for await (const item of joined) {
      items.push(item);
      if (item === "a0") joined.add(counting("b", 2));
    }

    expect(items).toEqual(["a0", "b0", "b1"]);
  });

  it("wait until what they have given is taken, and are closed with the reader", async () => {
    const state = { given: 0, isClosed: false };
    const endless = async function* () {
      try {
        for (;;) yield String(state.given++);
      } finally {
        state.isClosed = true;
      }
    };

    for await (const item of openJoined(endless())) if (item === "3") break;
    await vi.waitUntil(() => state.isClosed);

    expect(state.given).toBe(4);
  });

  it("fail as the first that fails", async () => {
    const failing = async function* (): AsyncGenerator<string> {
      yield "a";
      throw new Error("no more");
    };

    await expect(all(openJoined(failing()))).rejects.toThrow("no more");
  });
});

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function* counting(name: string, count: number): AsyncGenerator<string> {
  for (let place = 0; place < count; place++) yield `${name}${place}`;
}
