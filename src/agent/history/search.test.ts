import { expect, it } from "vitest";
import { byTime } from "./search.ts";

it("joins histories by time, each in its own order", async () => {
  const joined = byTime([
    from("2026-01-01T00:00:01Z", "2026-01-01T00:00:04Z"),
    from(),
    from("2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z", "2026-01-01T00:00:05Z"),
  ]);

  const seconds = [];
  for await (const { at } of joined) seconds.push(at.slice(-2, -1));
  expect(seconds).toEqual(["1", "2", "3", "4", "5"]);
});

it("lets go of every history when nobody wants more", async () => {
  const ended: string[] = [];
  const source = async function* (name: string) {
    try {
      for (;;) yield { at: "2026-01-01T00:00:00Z" };
    } finally {
      ended.push(name);
    }
  };

  for await (const _entry of byTime([source("a"), source("b")])) break;

  expect(ended).toEqual(["a", "b"]);
});

async function* from(...times: string[]) {
  for (const at of times) yield { at };
}
