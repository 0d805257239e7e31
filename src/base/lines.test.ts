import { expect, it } from "vitest";
import { linesOf } from "./lines.ts";

it.each([
  [["one\ntwo\n"], ["one", "two"]],
  [
    ["one\ntw", "o"],
    ["one", "two"],
  ],
  [["one\r\ntwo\n\nthree"], ["one", "two", "", "three"]],
  [["", ""], []],
  [
    ["123456789", "0abc\nnext"],
    ["12345678", "next"],
  ],
])("reads %j as %j", async (chunks, expected) => {
  expect(await all(chunks.map((chunk) => Buffer.from(chunk)))).toEqual(expected);
});

it("puts together what a chunk has cut in two", async () => {
  const bytes = Buffer.from("日本\n");

  expect(await all([bytes.subarray(0, 2), bytes.subarray(2)])).toEqual(["日本"]);
});

async function all(chunks: Uint8Array[]): Promise<string[]> {
  async function* source() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const line of linesOf(source(), 8)) lines.push(line);
  return lines;
}
