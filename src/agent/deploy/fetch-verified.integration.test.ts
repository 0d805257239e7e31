import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/logger.ts";
import { digestOf } from "../../oci/digest.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { VerifyError } from "../verify/verify-error.ts";
import { FakeArtifactSource } from "./artifact-source.fake.ts";
import { openArtifactStore } from "./artifact-store.ts";
import { fetchArtifact } from "./fetch.ts";

const body = Buffer.from("the bytes of a release");

it("gives nothing its final name that is not verified, and keeps nothing of it", async ({
  signal,
}) => {
  const { options, store, refusing } = await prepare("MISMATCH");

  await expect(fetchArtifact(refusing, { signal })).rejects.toThrow("signed by nobody");

  expect(refusing.seen).toEqual([store.partialPath(options.artifact)]);
  expect(await readdir(join(store.directory, "partial"))).toEqual([]);
  expect(await readdir(join(store.directory, "sha256"))).toEqual([]);
});

it("verifies what is stored already, and removes what is refused now", async ({ signal }) => {
  const { options, store, refusing } = await prepare("UNTRUSTED");
  const { path } = await fetchArtifact(options, { signal });

  await expect(fetchArtifact(refusing, { signal })).rejects.toThrow("signed by nobody");

  expect(refusing.seen).toEqual([path]);
  expect(await readdir(join(store.directory, "sha256"))).toEqual([]);
});

it("fetches nothing twice while a signature is waited for", async ({ signal }) => {
  const { options, source, refusing } = await prepare("NOT_YET");
  await expect(fetchArtifact(refusing, { signal })).rejects.toThrow("signed by nobody");

  await fetchArtifact(options, { signal });

  expect(source.opened).toEqual([0]);
});

async function prepare(code: VerifyError["code"]) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-fetch-"));
  const store = await openArtifactStore(directory, silentLogger);
  const source = new FakeArtifactSource({ body });
  const artifact = fakeArtifact("app", { digest: digestOf(body), sizeBytes: body.length });
  const parts = { clock: systemClock, logger: silentLogger };
  const options = { registry: source, artifact, store, ...parts };
  const seen: string[] = [];
  const verify = async ({ path }: { path: string }) => {
    seen.push(path);
    throw new VerifyError(code, "signed by nobody");
  };
  return { options, store, source, refusing: { ...options, seen, verify } };
}
