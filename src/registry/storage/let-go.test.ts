import { expect, it } from "vitest";
import { letGoAfter } from "./let-go.ts";

const bytes = 64 * 1024;

it("frees chunks when they are written, and not before", async () => {
  const chunk = new Uint8Array(bytes);
  let isWritten = () => {};
  const written = new Promise<void>((resolve) => {
    isWritten = resolve;
  });

  const gone = letGoAfter(written, [chunk]);
  expect(chunk.length).toBe(bytes);
  isWritten();
  await gone;

  expect(chunk.length).toBe(0);
});

it("frees what could not be written, and says so", async () => {
  const chunk = new Uint8Array(bytes);

  await expect(letGoAfter(Promise.reject(new Error("the disk failed")), [chunk])).rejects.toThrow(
    "the disk failed",
  );

  expect(chunk.length).toBe(0);
});

it("leaves alone what is a part of something larger", async () => {
  const whole = new Uint8Array(2 * bytes);
  const parts = [whole.subarray(0, bytes), whole.subarray(bytes), Buffer.from("small")];

  await letGoAfter(Promise.resolve(), parts);

  expect(parts.map(({ length }) => length)).toEqual([bytes, bytes, 5]);
});
