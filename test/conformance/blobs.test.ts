import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { begin, pushes, send } from "./blob-pushes.ts";
import { answered, ask, randomBlob, serve, withDigest } from "./client.ts";

const ways = Object.entries(pushes);
const inOrder = ways.filter(([way]) => !way.includes("out of order"));

describe.each(["sha256", "sha512"] as const)("%s blobs", (algorithm) => {
  const random = randomBlob();
  const contents = [
    { what: "random bytes", bytes: random, by: ways },
    { what: "no bytes", bytes: Buffer.alloc(0), by: inOrder },
    { what: "empty JSON", bytes: Buffer.from("{}"), by: inOrder },
  ];

  it.each(
    contents.flatMap(({ what, bytes, by }) =>
      by.map(([way, push]) => ({ way, push, what, bytes })),
    ),
  )("are pushed by $way: $what", async ({ push, bytes }) => {
    const repository = `${await serve()}/conformance/one`;
    const digest = digestOf(bytes, algorithm);

    const location = await push(repository, bytes, digest);

    expect((await answered(200, "GET", location)).body.equals(bytes)).toBe(true);
    await isWhole(repository, digest, bytes);
    await isDeleted(repository, digest);
  });

  it.each([
    ["named", "&from=conformance/two"],
    ["not named", ""],
  ])("are mounted from a repository that is %s", async (_name, from) => {
    const base = await serve();
    const digest = digestOf(random, algorithm);
    await pushes["POST and PUT"]?.(`${base}/conformance/two`, random, digest);
    const repository = `${base}/conformance/one`;

    const mount = `${repository}/blobs/uploads/?mount=${digest}${from}`;
    const { headers } = await answered(201, "POST", mount);

    expect(headers.get("location")).toContain(`/conformance/one/blobs/${digest}`);
    expect(headers.get("docker-content-digest")).toBe(digest);
    await isWhole(repository, digest, random);
    await isDeleted(repository, digest);
    await isWhole(`${base}/conformance/two`, digest, random);
  });

  it.each([
    ["named", "&from=conformance/two"],
    ["not named", ""],
  ])("are uploaded when there is nothing to mount, from a repository %s", async (_name, from) => {
    const base = await serve();
    const repository = `${base}/conformance/one`;
    const digest = digestOf(random, algorithm);

    const mount = `${repository}/blobs/uploads/?mount=${digest}${from}`;
    const { headers } = await answered(202, "POST", mount);

    const location = new URL(headers.get("location") ?? "", base).href;
    await answered(201, "PUT", withDigest(location, digest), { body: random });
    await isWhole(repository, digest, random);
    await isDeleted(repository, digest);
  });

  it("are missing until they are pushed", async () => {
    const repository = `${await serve()}/conformance/one`;
    const digest = digestOf(random, algorithm);

    await answered(404, "GET", `${repository}/blobs/${digest}`);
    await answered(404, "HEAD", `${repository}/blobs/${digest}`);
    await answered(404, "DELETE", `${repository}/blobs/${digest}`);
  });

  it("are given up when the upload is cancelled", async () => {
    const repository = `${await serve()}/conformance/one`;
    const location = await send(await begin(repository), { body: random });

    await answered(204, "DELETE", location);

    await answered(404, "GET", location);
    await answered(404, "PUT", withDigest(location, digestOf(random, algorithm)));
  });

  it.each([
    ["bytes=500-1499", 206, 500, 1500],
    ["bytes=500-", 206, 500, 2048],
    ["bytes=-500", 206, 1548, 2048],
    ["bytes=2000-5000", 206, 2000, 2048],
    ["bytes=500-0", 416, 0, 0],
    ["bytes=5000-10000", 416, 0, 0],
  ])("are read in part: %s is %i", async (range, status, from, to) => {
    const repository = `${await serve()}/conformance/one`;
    const digest = digestOf(random, algorithm);
    await pushes["POST and PUT"]?.(repository, random, digest);

    const part = await answered(status, "GET", `${repository}/blobs/${digest}`, {
      headers: { range },
    });

    expect(part.headers.get("content-length")).toBe(String(to - from));
    expect(part.body.equals(random.subarray(from, to))).toBe(true);
    const written = status === 206 ? `bytes ${from}-${to - 1}/2048` : "bytes */2048";
    expect(part.headers.get("content-range")).toBe(written);
  });

  it.each(inOrder)("are refused when %s brings others", async (_way, push) => {
    const repository = `${await serve()}/conformance/one`;
    const wrong = digestOf("other bytes", algorithm);

    await expect(push(repository, random, wrong)).rejects.toThrow(/DIGEST_INVALID/);

    expect((await ask("HEAD", `${repository}/blobs/${wrong}`)).status).toBe(404);
  });
});

async function isWhole(repository: string, digest: Digest, bytes: Buffer): Promise<void> {
  const url = `${repository}/blobs/${digest}`;
  const head = await answered(200, "HEAD", url);
  expect(head.headers.get("content-length")).toBe(String(bytes.length));
  expect(head.headers.get("docker-content-digest")).toBe(digest);
  const whole = await answered(200, "GET", url);
  expect(whole.headers.get("docker-content-digest")).toBe(digest);
  expect(whole.body.equals(bytes)).toBe(true);
}

async function isDeleted(repository: string, digest: Digest): Promise<void> {
  await answered(202, "DELETE", `${repository}/blobs/${digest}`);
  await answered(404, "HEAD", `${repository}/blobs/${digest}`);
  await answered(404, "GET", `${repository}/blobs/${digest}`);
}
