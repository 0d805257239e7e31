import { type Bytes, collect } from "../base/bytes.ts";

/** Chunks are a driver's own, and may be used again as soon as the next one is asked for. */
export async function* copied(source: Bytes): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Uint8Array.from(chunk);
}

export async function textOf(source: Bytes): Promise<string> {
  return (await collect(copied(source), 1_000_000)).toString();
}

export async function namesOf(source: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of source) all.push(name);
  return all;
}
