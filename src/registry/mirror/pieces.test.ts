import { describe, expect, it } from "vitest";
import { collect } from "../../base/bytes.ts";
import { piecesOf } from "./pieces.ts";

describe("piecesOf", () => {
  it("gathers small chunks, and gives all of them in order", async () => {
    const chunks = Array.from({ length: 500 }, (_, n) => Buffer.alloc(1000, n % 251));

    const pieces = await gathered(streamOf(chunks), 0);

    expect(pieces.length).toBeLessThan(10);
    expect(Buffer.concat(pieces).equals(Buffer.concat(chunks))).toBe(true);
  });

  it.each([0, 1, 999, 1000, 1500, 2000])("leaves out the first %d bytes", async (skip) => {
    const chunks = [Buffer.alloc(1000, 1), Buffer.alloc(1000, 2)];

    const pieces = await gathered(streamOf(chunks), skip);

    expect(Buffer.concat(pieces).equals(Buffer.concat(chunks).subarray(skip))).toBe(true);
  });

  it("gives what came before its source broke off, and then says so", async () => {
    const pieces: Buffer[] = [];
    const broken = (async function* () {
      yield Buffer.from("the first half");
      throw new Error("broke off");
    })();

    const reading = (async () => {
      for await (const piece of piecesOf(broken, { skip: 4 }))
        pieces.push(await collect(piece, 100));
    })();

    await expect(reading).rejects.toThrow("broke off");
    expect(String(Buffer.concat(pieces))).toBe("first half");
  });
});

async function gathered(source: AsyncIterable<Uint8Array>, skip: number): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of piecesOf(source, { skip })) pieces.push(await collect(piece, 1e7));
  return pieces;
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
