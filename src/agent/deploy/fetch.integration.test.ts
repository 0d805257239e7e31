import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { type Artifact, ReleaseRegistryError } from "../release.ts";
import { FakeArtifactSource, type FakeSourceOptions } from "./artifact-source.fake.ts";
import { type ArtifactStore, openArtifactStore } from "./artifact-store.ts";
import { type FetchOptions, fetchArtifact } from "./fetch.ts";

const body = randomBytes(50_000);

describe("fetchArtifact", () => {
  it("stores the artifact under its digest, for nobody else to read", async ({ signal }) => {
    const { options, store } = await prepare({ body });

    const stored = await fetchArtifact(options, { signal });

    expect(stored.digest).toBe(digestOf(body));
    expect(stored.sizeBytes).toBe(body.length);
    expect((await readFile(stored.path)).equals(body)).toBe(true);
    expect((await stat(stored.path)).mode & 0o777).toBe(0o600);
    expect((await stat(store.directory)).mode & 0o777).toBe(0o700);
    expect(await partialsOf(store)).toEqual([]);
  });

  it("fetches nothing when it has the digest already", async ({ signal }) => {
    const { options, source } = await prepare({ body });
    await fetchArtifact(options, { signal });

    await fetchArtifact(options, { signal });

    expect(source.opened).toEqual([0]);
  });

  it("fetches nothing a second time when no digest is told but the identity is the same", async ({
    signal,
  }) => {
    const { options, source } = await prepare({ body }, { digest: undefined });
    await fetchArtifact(options, { signal });

    const stored = await fetchArtifact(options, { signal });
    const other = { ...options.artifact, identity: "published again" };
    await fetchArtifact({ ...options, artifact: other }, { signal });

    expect(stored.digest).toBe(digestOf(body));
    expect(source.opened).toEqual([0, 0]);
  });

  it("replaces a stored artifact that has rotted", async ({ signal }) => {
    const { options, source, logger } = await prepare({ body });
    const { path } = await fetchArtifact(options, { signal });
    await writeFile(path, "rotten");

    await fetchArtifact(options, { signal });

    expect(source.opened).toEqual([0, 0]);
    expect((await readFile(path)).equals(body)).toBe(true);
    expect(logger.messages("warn")).toEqual(["A stored artifact has rotted and is removed"]);
  });

  it("says so when the system will not let it write", async ({ signal }) => {
    const { options, store } = await prepare({ body });
    await rm(join(store.directory, "partial"), { recursive: true });

    const result = fetchArtifact(options, { signal });

    await expect(result).rejects.toMatchObject({ name: "FetchError", code: "UNWRITABLE" });
  });

  it.each([
    ["continues where it was cut", true, [0, 7000, 7500]],
    ["begins again where the source cannot continue", false, [0, 7000, 500]],
  ])("%s", async (_what, resumes, opened) => {
    const { signal } = new AbortController();
    const { options, source } = await prepare({ body, resumes, cutAfter: [7000, 500] });

    const { path } = await fetchArtifact(options, { signal });

    expect(source.opened).toEqual(opened);
    expect((await readFile(path)).equals(body)).toBe(true);
  });

  it("continues what a killed run has left", async ({ signal }) => {
    const { options, source, store } = await prepare({ body });
    await writeFile(store.partialPath(options.artifact), body.subarray(0, 30_000));

    const { path } = await fetchArtifact(options, { signal });

    expect(source.opened).toEqual([30_000]);
    expect((await readFile(path)).equals(body)).toBe(true);
  });

  it("asks for nothing when a killed run has left all of it", async ({ signal }) => {
    const { options, source, store } = await prepare({ body });
    await writeFile(store.partialPath(options.artifact), body);

    const { path } = await fetchArtifact(options, { signal });

    expect(source.opened).toEqual([]);
    expect((await readFile(path)).equals(body)).toBe(true);
  });

  it.each([
    ["other bytes", randomBytes(30_000)],
    ["more than all of it", Buffer.concat([body, body])],
    ["as many other bytes", randomBytes(body.length)],
  ])("begins again when a killed run has left %s", async (_what, left) => {
    const { signal } = new AbortController();
    const { options, source, store } = await prepare({ body });
    await writeFile(store.partialPath(options.artifact), left);

    const { path } = await fetchArtifact(options, { signal });

    expect(source.opened.at(-1)).toBe(0);
    expect((await readFile(path)).equals(body)).toBe(true);
  });

  it("does not trust what is left from before the last boot when there is no digest", async ({
    signal,
  }) => {
    const { options, source, store } = await prepare({ body }, { digest: undefined });
    const partial = store.partialPath(options.artifact);
    await writeFile(partial, Buffer.alloc(30_000));
    await utimes(partial, 1000, 1000);

    const stored = await fetchArtifact(options, { signal });

    expect(source.opened).toEqual([0]);
    expect(stored.digest).toBe(digestOf(body));
  });

  it("refuses bytes that are not the promised ones, and keeps none of them", async ({ signal }) => {
    const tampered = randomBytes(body.length);
    const { options, store } = await prepare({ body: tampered });

    const result = fetchArtifact(options, { signal });

    await expect(result).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
      message: expect.stringContaining(digestOf(tampered)),
    });
    expect(await partialsOf(store)).toEqual([]);
  });

  it.each<[string, Partial<Artifact>, Partial<FetchOptions>, string, number]>([
    ["one that ends early", { sizeBytes: 60_000 }, {}, "TRUNCATED", 5],
    ["one that is longer than announced", { sizeBytes: 40_000 }, {}, "TOO_LARGE", 1],
    ["one announced too large", {}, { maximumBytes: 1000 }, "TOO_LARGE", 0],
    ["one that grows too large", { sizeBytes: undefined }, { maximumBytes: 1000 }, "TOO_LARGE", 1],
  ])("refuses %s, and keeps nothing of it", async (_what, artifact, limits, code, openings) => {
    const { signal } = new AbortController();
    const { options, source, store } = await prepare({ body }, artifact);

    const result = fetchArtifact({ ...options, ...limits }, { signal });

    await expect(result).rejects.toMatchObject({ code });
    expect(source.opened).toHaveLength(openings);
    expect(await partialsOf(store)).toEqual([]);
  });

  it("gives up after five cuts without getting on, and keeps what has come", async ({ signal }) => {
    const { options, store } = await prepare({ body, cutAfter: [1000, 0, 0, 0, 0, 0] });

    await expect(fetchArtifact(options, { signal })).rejects.toMatchObject({ code: "CUT" });

    const [partial = ""] = await partialsOf(store);
    expect((await stat(join(store.directory, "partial", partial))).size).toBe(1000);
  });

  it.each([
    ["UNAVAILABLE", 2],
    ["NOT_FOUND", 1],
    ["UNAUTHORIZED", 1],
    ["RATE_LIMITED", 1],
  ] as const)("tries again only what may mend: %s", async (code, openings) => {
    const { signal } = new AbortController();
    const failure = new ReleaseRegistryError(code, "no");
    const { options, source } = await prepare({ body, failures: [failure] });

    await fetchArtifact(options, { signal }).catch((error) => expect(error).toBe(failure));

    expect(source.opened).toHaveLength(openings);
  });

  it("lets go of a source that has stopped sending, and tries again", async ({ signal }) => {
    const { options, source, logger } = await prepare({ body, hangs: 1 });

    const { path } = await fetchArtifact({ ...options, stallMs: 500 }, { signal });

    expect(source.opened).toEqual([0, 10]);
    expect((await readFile(path)).equals(body)).toBe(true);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ reason: "next to nothing came for 0.5 s" }),
      }),
    );
  });

  it("ends when it is told to, even if the source does not, and keeps what has come", async () => {
    const stop = new AbortController();
    const { options, store } = await prepare({ body, hangs: 9 });
    const partial = store.partialPath(options.artifact);

    const result = fetchArtifact(options, stop);
    result.catch(() => {});
    await expect.poll(() => readFile(partial).catch(() => "")).toHaveLength(10);
    stop.abort(new Error("stopped"));

    await expect(result).rejects.toThrow("stopped");
    expect(await partialsOf(store)).toHaveLength(1);
  });
});

describe("prune", () => {
  it("keeps what is needed, newest first, within the budget, and the first in any case", async ({
    signal,
  }) => {
    const { store, options } = await prepare({ body });
    const bodies = [0, 1, 2, 3].map((fill) => Buffer.alloc(1000, fill));
    for (const content of bodies) {
      const artifact = artifactOf(content, { digest: undefined, identity: digestOf(content) });
      const registry = new FakeArtifactSource({ body: content });
      await fetchArtifact({ ...options, registry, artifact }, { signal });
    }
    const digests = bodies.map((content) => digestOf(content));

    await store.prune(digests.slice(0, 3), { maximumBytes: 2500 });
    expect(await present(store, digests, signal)).toEqual([true, true, false, false]);

    await store.prune(digests.slice(1), { maximumBytes: 1 });
    expect(await present(store, digests, signal)).toEqual([false, true, false, false]);
  });

  it("removes what was left of downloads a day ago", async () => {
    const { store, options } = await prepare({ body });
    const partial = store.partialPath(options.artifact);
    await writeFile(partial, "left");

    await store.prune([]);
    expect(await partialsOf(store)).toHaveLength(1);

    await store.prune([], { now: new Date(Date.now() + 25 * 3_600_000) });
    expect(await partialsOf(store)).toEqual([]);
  });
});

async function prepare(source: FakeSourceOptions, artifact: Partial<Artifact> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-fetch-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const registry = new FakeArtifactSource(source);
  const logger = new FakeLogger();
  const store = await openArtifactStore(join(directory, "artifacts"), logger);
  const options = {
    registry,
    artifact: artifactOf(body, artifact),
    store,
    clock: hastyClock,
    logger,
  };
  return { options, source: registry, store, logger };
}

function artifactOf(content: Uint8Array, changes: Partial<Artifact>): Artifact {
  return {
    name: "app.tar.gz",
    platform: undefined,
    sizeBytes: content.length,
    digest: digestOf(content),
    identity: "one",
    url: "fake://source/app.tar.gz",
    ...changes,
  };
}

const partialsOf = (store: ArtifactStore) => readdir(join(store.directory, "partial"));

async function present(
  store: ArtifactStore,
  digests: ReturnType<typeof digestOf>[],
  signal: AbortSignal,
): Promise<boolean[]> {
  const found = digests.map((digest) => store.find(digest, { signal }));
  return (await Promise.all(found)).map((stored) => stored !== undefined);
}

/** Its waits are over at once. */
const hastyClock: Clock = { now: () => new Date(), sleep: async () => {} };
