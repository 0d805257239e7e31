import { expect, it } from "vitest";
import { openCounter, openHistogram } from "./instruments.ts";

it("counts a series that is held as it counts one that is named", () => {
  const counter = openCounter({ name: "a", help: "", unit: "" });
  const held = counter.of({ x: "1", y: "2" });

  held(2);
  counter.add({ y: "2", x: "1" }, 3);
  counter.add({ x: "2" }, 1);

  expect(counter.read().series).toEqual([
    { labels: { x: "1", y: "2" }, value: 5 },
    { labels: { x: "2" }, value: 1 },
  ]);
});

it("puts a value that equals a bound below it", () => {
  const histogram = openHistogram({ name: "a", help: "", unit: "s" }, [1, 2]);
  const held = histogram.of({});

  for (const value of [0, 1, 1.5, 2, 3]) held(value);

  expect(histogram.read().series).toEqual([{ labels: {}, count: 5, sum: 7.5, buckets: [2, 2, 1] }]);
});

it("gives figures that no longer change", () => {
  const histogram = openHistogram({ name: "a", help: "", unit: "s" }, [1]);
  histogram.record({}, 1);
  const before = histogram.read();

  histogram.record({}, 1);

  expect(before.series).toEqual([{ labels: {}, count: 1, sum: 1, buckets: [1, 0] }]);
});
