import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { findProgram } from "./decoder-program.ts";
import type { FindProgram } from "./decompress.ts";
import { decompressed } from "./decompress.ts";
import type { Compression } from "./kind.ts";

/** "dewy" fifty times, compressed by each program's default: so that none is needed here. */
const samples: Record<Exclude<Compression, "gzip">, string> = {
  bzip2: "QlpoOTFBWSZTWcHQuBgAABiBgAYAAKAgACClAM005FiLUXIvF3JFOFCQwdC4GA==",
  xz: "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ADHAApdADIZS1aLSAtj4AAAAABj2iN/PpagfgABJsgBAAAAifZ5c7HEZ/sCAAAAAARZWg==",
  zstd: "KLUv/STIXQAAIGRld3kBAMEpRwQrln5K",
};
const content = "dewy".repeat(50);
const noProgram: FindProgram = async () => undefined;

describe.each(["bzip2", "xz", "zstd"] as const)("decompressed, from %s", (compression) => {
  const sample = Buffer.from(samples[compression], "base64");

  it.each<[string, FindProgram]>([
    ["with the program where there is one", findProgram],
    ["without", noProgram],
  ])("reads it %s", async (_how, find) => {
    expect(await readAll(sample, compression, find)).toBe(content);
  });

  it("reads one that is several, put together", async () => {
    const both = Buffer.concat([sample, sample]);

    expect(await readAll(both, compression, noProgram)).toBe(content.repeat(2));
  });

  it.each<[string, FindProgram]>([
    ["with the program where there is one", findProgram],
    ["without", noProgram],
  ])("complains of every cut and of garbage, %s", async (_how, find) => {
    const cuts = [sample.subarray(0, -1), sample.subarray(0, -9), sample.subarray(0, 12)];
    for (const damaged of [...cuts, Buffer.alloc(300, "garbage")]) {
      const result = readAll(damaged, compression, find);
      await expect(result).rejects.toMatchObject({ code: "DAMAGED" });
    }
  });

  it("ends when nobody reads on", async () => {
    const path = await fileOf(Buffer.concat(Array.from({ length: 500 }, () => sample)));
    const bytes = decompressed(path, compression, call(), findProgram);

    await bytes.next();
    await bytes.return(undefined);

    expect(await bytes.next()).toEqual({ done: true, value: undefined });
  });
});

it("does not blame the archive when the program cannot be run", async () => {
  const missing: FindProgram = async () => "/nowhere/xz";

  const result = readAll(Buffer.from(samples.xz, "base64"), "xz", missing);

  await expect(result).rejects.toMatchObject({ code: "ENOENT" });
});

it("refuses a zstd frame that asks for more memory than it may have", async () => {
  const frame = Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0]),
    Buffer.alloc(20),
  ]);

  await expect(readAll(frame, "zstd", noProgram)).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
});

const call = () => ({ signal: new AbortController().signal });

async function readAll(
  bytes: Uint8Array,
  compression: Compression,
  find: FindProgram,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  const path = await fileOf(bytes);
  for await (const chunk of decompressed(path, compression, call(), find)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function fileOf(bytes: Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-decompress-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "compressed");
  await writeFile(path, bytes);
  return path;
}
