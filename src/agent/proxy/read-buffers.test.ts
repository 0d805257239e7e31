import { expect, it } from "vitest";
import { ReadBuffers } from "./read-buffers.ts";

it("lends no more than it may, and again what was given back", () => {
  const buffers = new ReadBuffers();
  const lent: Buffer[] = [];
  for (let one = buffers.borrow(); one; one = buffers.borrow()) lent.push(one);

  expect(new Set(lent).size).toBe(lent.length);
  expect(buffers.borrow()).toBeUndefined();
  const [first, second] = lent as [Buffer, Buffer];
  buffers.giveBack(first);
  expect(buffers.borrow()).toBe(first);
  buffers.forget();
  expect(lent).not.toContain(buffers.borrow());
  expect(second).not.toBe(buffers.shared);
});
