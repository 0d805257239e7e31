import { expect, it } from "vitest";
import { openTurns } from "./turns.ts";

it("begins no work before the one before it has ended, even badly", async () => {
  const inTurn = openTurns();
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} ends`);
    if (name === "one") throw new Error("broken");
    return name;
  };

  const [one, two] = await Promise.allSettled([inTurn(work("one")), inTurn(work("two"))]);

  expect(order).toEqual(["one begins", "one ends", "two begins", "two ends"]);
  expect(one).toMatchObject({ status: "rejected" });
  expect(two).toMatchObject({ status: "fulfilled", value: "two" });
});
