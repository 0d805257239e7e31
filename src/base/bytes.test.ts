import { expect, it } from "vitest";
import { collect, firstBytesOf, limited, streamOf } from "./bytes.ts";

it("passes on what is within the limit", async () => {
  const bytes = await collect(limited(streamOf(Buffer.from("dewy")), 4), 4);

  expect(bytes.toString()).toBe("dewy");
});

it("fails at the first byte too many", async () => {
  await expect(collect(streamOf(Buffer.from("dewy")), 3)).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
});

it("gives the bytes of a small stream, and all of a larger one", async () => {
  const pieces = () => from("one", "two", "three");

  expect(`${(await firstBytesOf(pieces(), 11)).bytes}`).toBe("onetwothree");
  expect((await firstBytesOf(from(), 11)).bytes).toHaveLength(0);
  const { rest } = await firstBytesOf(pieces(), 4);
  expect(rest && `${await collect(rest, 100)}`).toBe("onetwothree");
});

it("gives what came before a stream failed, and then its failure", async () => {
  const { rest } = await firstBytesOf(breaking("half"), 100);

  const seen: string[] = [];
  const read = async () => {
    for await (const bytes of rest ?? []) seen.push(`${bytes}`);
  };
  await expect(read()).rejects.toThrow("gone");
  expect(seen).toEqual(["half"]);
});

it("lets a stream go that is not read to its end", async () => {
  let isLetGo = false;
  const source = (async function* () {
    try {
      for (;;) yield Buffer.from("more");
    } finally {
      isLetGo = true;
    }
  })();

  const { rest } = await firstBytesOf(source, 10);
  for await (const _bytes of rest ?? []) break;

  expect(isLetGo).toBe(true);
});

async function* from(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* breaking(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
  throw new Error("gone");
}
