import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { serveRegistry } from "./served-registry.ts";
import { describeOnSmallDisk } from "./small-disk.ts";
import { walkStorage } from "./storage-walk.ts";

const large = randomBytes(12 * 1024 ** 2);
const small = randomBytes(1024 ** 2);

describeOnSmallDisk("the image registry on a disk of 16 MiB", (place) => {
  let disk = "";
  beforeEach(() => {
    disk = place();
  });

  it.each([
    ["in one request", pushAtOnce],
    ["in chunks", pushInChunks],
  ])("says that it is full to a blob %s, keeps nothing of it, and goes on", async (_way, push) => {
    const { address } = await serveRegistry(disk);
    const repository = `${address}/v2/a`;
    expect(await push(repository, large)).toBe(201);

    expect(await push(repository, Buffer.concat([large, small]))).toBe(507);

    expect(await push(repository, small)).toBe(201);
    const read = await fetch(`${repository}/blobs/${digestOf(large)}`);
    expect(large.equals(Buffer.from(await read.arrayBuffer()))).toBe(true);
    expect((await walkStorage(disk)).faults).toEqual([]);
  });

  it("says that it may not write, and writes again once it may", async () => {
    const { address } = await serveRegistry(disk);
    const repository = `${address}/v2/a`;
    expect(await pushAtOnce(repository, large)).toBe(201);
    execFileSync("mount", ["-o", "remount,ro", disk]);

    expect(await pushAtOnce(repository, small)).toBe(503);
    expect((await fetch(`${repository}/blobs/${digestOf(large)}`)).status).toBe(200);

    execFileSync("mount", ["-o", "remount,rw", disk]);
    expect(await pushAtOnce(repository, small)).toBe(201);
  });
});

async function pushAtOnce(repository: string, body: Buffer): Promise<number> {
  const url = `${repository}/blobs/uploads/?digest=${digestOf(body)}`;
  return (await fetch(url, { method: "POST", body })).status;
}

/** As docker does: it gives an upload up once a chunk of it is refused. */
async function pushInChunks(repository: string, body: Buffer): Promise<number> {
  const begun = await fetch(`${repository}/blobs/uploads/`, { method: "POST" });
  const location = begun.headers.get("location") ?? "";
  const chunk = await fetch(location, { method: "PATCH", body });
  if (chunk.status !== 202) return chunk.status;
  return (await fetch(`${location}&digest=${digestOf(body)}`, { method: "PUT" })).status;
}
