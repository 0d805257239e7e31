import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { FakeReleaseRegistry, fakeArtifact } from "../release-registry.fake.ts";
import type { PartialFile } from "./partial-file.ts";
import { transfer } from "./transfer.ts";

it("holds no chunk that it has written", async ({ signal }) => {
  const chunks: WeakRef<Uint8Array>[] = [];
  let held = 0;
  async function* source() {
    for (let count = 0; count < 100; count++) {
      const chunk = new Uint8Array(1024);
      chunks.push(new WeakRef(chunk));
      yield chunk;
    }
    await turn();
    collectGarbage();
    held = chunks.filter((chunk) => chunk.deref() !== undefined).length;
  }
  const registry = new FakeReleaseRegistry();
  registry.open = async () => ({ bytes: source(), from: 0 });
  const options = { registry, artifact: fakeArtifact("app"), maximumBytes: 1e6, stallMs: 10_000 };

  await transfer(forgetfulFile(), options, { signal });

  expect(chunks).toHaveLength(100);
  expect(held).toBeLessThan(5);
});

it("lets go of a source that only drips", async ({ signal }) => {
  async function* source() {
    for (;;) {
      yield new Uint8Array(1);
      await sleep(5);
    }
  }
  const registry = new FakeReleaseRegistry();
  registry.open = async () => ({ bytes: source(), from: 0 });
  const options = { registry, artifact: fakeArtifact("app"), maximumBytes: 1e6, stallMs: 100 };

  await expect(transfer(forgetfulFile(), options, { signal })).rejects.toMatchObject({
    code: "TIMEOUT",
  });
});

/** Takes bytes, and keeps only their number. */
function forgetfulFile(): PartialFile {
  let sizeBytes = 0;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    async append(chunk) {
      sizeBytes += chunk.length;
    },
    async reset() {
      sizeBytes = 0;
    },
    digest: () => {
      throw new Error("nobody asks");
    },
    async sync() {},
    async remove() {},
    async close() {},
  };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
}
