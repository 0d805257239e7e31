import { expect, it } from "vitest";
import { ReadBuffers } from "./file-stream.ts";

const large = 100 * 1024 * 1024;

it("gives thousands of readers that take nothing small buffers, and large ones to the few", () => {
  const buffers = new ReadBuffers();

  const taken = Array.from({ length: 2_000 }, () => buffers.take(large));

  const bytes = taken.reduce((sum, { length }) => sum + length, 0);
  expect(taken[0]?.length).toBe(512 * 1024);
  expect(bytes).toBeLessThan(128 * 1024 * 1024);
});

it("has large ones again once they were given back, used again or not", () => {
  const buffers = new ReadBuffers();
  const taken = Array.from({ length: 200 }, () => buffers.take(large));

  taken.forEach((buffer, index) => {
    buffers.giveBack(buffer, { reuse: index % 2 === 0 });
  });

  expect(buffers.take(large).length).toBe(512 * 1024);
  expect(Array.from({ length: 200 }, () => buffers.take(large).length)).toContain(32 * 1024);
});
