import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openTurns } from "../../base/turns.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "../../oci/oci.fake.ts";
import { choose } from "../choose/choose.ts";
import { openArtifactStore } from "../deploy/artifact-store.ts";
import { deploy } from "../deploy/deploy.ts";
import { openReleases } from "../deploy/releases.ts";
import type { AgentEvent } from "../event.ts";
import { beginAttempt } from "../ledger/attempt.ts";
import { openLedger, type Phase } from "../ledger/ledger.ts";
import { openReleaseRegistry } from "../registries/index.ts";
import { fakeKeySigner, pair, payloadFor, statementFor } from "../sigstore/sigstore.fake.ts";
import { openAdmission } from "../verify/admission.ts";
import { openCoverage } from "../verify/coverage.ts";
import { openVerification, type VerifyOptions } from "../verify/index.ts";
import { openPrepareImage } from "./image-release.ts";
import { readReleaseImage } from "./release-image.ts";
import type { ContainerRuntime } from "./runtime.ts";

const repository = "acme/app";
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const signingType = "application/vnd.dev.cosign.simplesigning.v1+json";
const platform = { os: "linux", architecture: "amd64" };
const trusted = pair();
const signer = fakeKeySigner(trusted.privateKey);
const stranger = fakeKeySigner(pair().privateKey);

describe("an image that has to be vouched for", () => {
  let fake: FakeOciRegistry;
  beforeEach(async () => {
    fake = await serveFakeOciRegistry();
  });

  it.each([
    ["the index that the tag names", async ({ index }: Pushed) => sign(index)],
    ["the manifest of this platform", async ({ ours }: Pushed) => sign(ours)],
    ["the index, referring to it", async ({ index }: Pushed) => refer(index)],
    ["the manifest of this platform, referring to it", async ({ ours }: Pushed) => refer(ours)],
  ])("is pulled by its digest when what is signed is %s", async (_what, signed) => {
    const pushed = pushImage("v1.0.0");
    await signed(pushed);
    const host = await openHost();

    await host.deploy("v1.0.0");

    expect(host.pulled).toEqual([`${fake.host}/${repository}@${pushed.ours}`]);
    expect(host.phases).toEqual([
      ...["fetch", "verify", "fetch", "unpack", "switch", "start", "commit", "prune"],
    ]);
    const { active } = host.ledger.state;
    expect(active).toMatchObject({ tag: "v1.0.0", digest: pushed.ours });
    expect(active?.evidence).toMatchObject({ kind: "sigstore" });
    expect(await readReleaseImage(active?.directory ?? "")).toMatchObject({ digest: pushed.ours });
  });

  it.each([
    ["nothing is signed", "MISSING", async () => {}],
    ["a stranger signed it", "UNTRUSTED", async ({ index }: Pushed) => sign(index, stranger)],
    [
      "the manifest of another platform is signed",
      "MISSING",
      async ({ theirs }: Pushed) => sign(theirs),
    ],
    [
      "the signature of another index was put beside this one",
      "UNTRUSTED",
      async ({ index }: Pushed) => {
        const other = pushImage("v0.9.0");
        await sign(other.index, signer, index);
      },
    ],
    [
      "an index that does not list what runs is signed",
      "MISSING",
      async () => {
        const { index } = pushImage("other");
        await sign(index);
      },
    ],
  ])("is neither pulled nor started when %s", async (_what, code, signed) => {
    await signed(pushImage("v1.0.0"));
    const host = await openHost();

    await expect(host.deploy("v1.0.0")).rejects.toMatchObject({ code });

    expect(host.pulled).toEqual([]);
    expect(host.started).toEqual([]);
    expect(host.ledger.state.active).toBeUndefined();
    const outcome = code.toLowerCase();
    expect(host.events).toContainEqual({ type: "verified", tag: "v1.0.0", outcome });
  });

  it("is not pulled when the registry answers with another index than the one it named", async () => {
    const pushed = pushImage("v1.0.0");
    await sign(pushed.index);
    const host = await openHost();
    const choice = await host.chosen("v1.0.0");
    const forged = pushImage("v0.9.0");
    const stored = fake.manifests.get(`${repository}@${forged.index}`);
    if (!stored) throw new Error("it was pushed");
    fake.manifests.set(`${repository}@${pushed.index}`, stored);

    await expect(host.deployed(choice)).rejects.toThrow(pushed.index);

    expect(host.pulled).toEqual([]);
  });

  it("is pulled unsigned where nobody has to sign it, its manifest held against its digest", async () => {
    const pushed = pushImage("v1.0.0");
    const host = await openHost({});

    await host.deploy("v1.0.0");

    expect(host.pulled).toEqual([`${fake.host}/${repository}@${pushed.ours}`]);
    expect(host.ledger.state.active?.evidence).toMatchObject({ kind: "checksum" });
  });

  it("is vouched for anew when the policy has changed since, by what is in the registry", async () => {
    const pushed = pushImage("v1.0.0");
    const host = await openHost({});
    await host.deploy("v1.0.0");
    const strict = await host.underPolicy(await keyPolicy());
    await strict.coverage.begin();
    expect(host.ledger.state.uncovered).toBeDefined();
    const choice = await host.chosen("v1.0.0");
    const call = { signal: AbortSignal.timeout(20_000) };

    await sign(pushed.index);
    await strict.coverage.check(choice, call);

    expect(host.ledger.state.uncovered).toBeUndefined();
    expect(host.ledger.state.active?.evidence).toMatchObject({ kind: "sigstore" });
  });

  interface Pushed {
    index: Digest;
    ours: Digest;
    theirs: Digest;
  }

  /** Of two platforms, as `docker buildx build --platform` leaves it. */
  function pushImage(tag: string): Pushed {
    const manifestOf = (architecture: string) =>
      fake.tag(repository, "", {
        ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
        config: descriptorOf(JSON.stringify({ architecture, tag }), "application/json"),
        layers: [descriptorOf(`${tag} for ${architecture}`, "application/gzip")],
      }) as Digest;
    const described = (digest: Digest, architecture: string) => ({
      ...{ mediaType: mediaTypes.ociManifest, digest, size: sizeOf(digest) },
      platform: { os: "linux", architecture },
    });
    const [theirs, ours] = [manifestOf("arm64"), manifestOf("amd64")];
    const manifests = [described(theirs, "arm64"), described(ours, "amd64")];
    const content = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    return { index: fake.tag(repository, tag, content) as Digest, ours, theirs };
  }

  /** As cosign 2 does, under a tag beside `beside`. */
  async function sign(digest: Digest, by = signer, beside = digest): Promise<void> {
    const payload = payloadFor(digest, `${fake.host}/${repository}`);
    const annotations = await by.annotationsOf(payload);
    const layer = { ...descriptorOf(payload, signingType), annotations };
    const config = descriptorOf("{}", "application/json");
    const name = `${beside.replace(":", "-")}.sig`;
    fake.tag(repository, name, { schemaVersion: 2, config, layers: [layer] });
  }

  /** As cosign 3 does, by a manifest that refers to it. */
  async function refer(digest: Digest): Promise<void> {
    const text = await signer.attested(statementFor(digest));
    const subject = { mediaType: mediaTypes.ociIndex, digest, size: 1 };
    const layers = [descriptorOf(text, bundleType)];
    const config = descriptorOf("{}", "application/json");
    const content = { schemaVersion: 2, artifactType: bundleType, subject, config, layers };
    fake.tag(repository, "", content);
  }

  function descriptorOf(content: string | Buffer, mediaType: string) {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    fake.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  const sizeOf = (digest: Digest) =>
    fake.manifests.get(`${repository}@${digest}`)?.bytes.length ?? 0;

  async function openHost(verify?: VerifyOptions) {
    const root = await mkdtemp(join(tmpdir(), "dewy-images-"));
    const clock = systemClock;
    const http = openHttpClient({ userAgent: "dewy/test" });
    onTestFinished(() => http.close());
    const parts = { http, clock, environment: {}, credentials: async () => undefined };
    const name = `img://${fake.host}/${repository}`;
    const { registry } = await openReleaseRegistry(name, { ...parts, content: "images" });
    const logger = new FakeLogger();
    const ledger = await openLedger(join(root, ".dewy/ledger.json"), { logger, clock });
    const store = await openArtifactStore(join(root, ".dewy/artifacts"), logger);
    const releases = await openReleases(root, clock);
    const [pulled, started, phases] = [[] as string[], [] as string[], [] as Phase[]];
    const events: AgentEvent[] = [];
    const own = {
      ...{ registry, ledger, store, releases, clock, logger, alone: openTurns() },
      observe: (event: AgentEvent) => void events.push(event),
      entered: (phase: Phase) => void phases.push(phase),
    };
    const runtime = {
      image: async () => undefined,
      pull: async (reference: string) => void pulled.push(reference),
    } as unknown as ContainerRuntime;
    const prepare = openPrepareImage({ ...own, ...parts, runtime, plainHttp: false });
    const start = async () => {
      started.push((await releases.current())?.directory ?? "");
      return { commit() {}, undo: async () => {} };
    };
    const host = {
      pulled,
      started,
      phases,
      events,
      ledger,
      chosen,
      deployed,
      underPolicy,
      deploy: deployTag,
    };
    return host;

    async function chosen(tag: string) {
      const rules = { platform, preRelease: false };
      const looking = { clock, logger, warned: new Set<string>(), activeTag: () => undefined };
      const one = { ...registry, tags: async () => [tag] };
      const call = { signal: AbortSignal.timeout(20_000) };
      const choice = await choose(
        one,
        rules,
        { ...looking, holds: () => ledger.state, tellPassedOver() {} },
        call,
      );
      if (!choice) throw new Error(`${tag} is not chosen`);
      return choice;
    }

    async function underPolicy(options: VerifyOptions) {
      const verification = await openVerification(options, { inQuery: undefined, clock });
      const rules = { platform, preRelease: false };
      const admission = openAdmission({ ...own, verification, rules });
      return { admission, coverage: openCoverage({ ...own, admission }) };
    }

    async function deployed(choice: Awaited<ReturnType<typeof chosen>>) {
      const { admission } = await underPolicy(verify ?? (await keyPolicy()));
      const { tag, artifact } = choice;
      const about = { tag, identity: artifact.identity, artifact: artifact.name };
      await ledger.update((state) => beginAttempt(state, about, clock.now()));
      const call = { signal: AbortSignal.timeout(20_000) };
      await deploy(
        choice,
        { ...own, admission, start, prepare, shared: undefined, hooks: {} },
        call,
      );
    }

    async function deployTag(tag: string) {
      await deployed(await chosen(tag));
    }
  }
});

async function keyPolicy(): Promise<VerifyOptions> {
  const path = join(await mkdtemp(join(tmpdir(), "dewy-key-")), "cosign.pub");
  await writeFile(path, trusted.publicKey.export({ type: "spki", format: "pem" }));
  return { keys: [path] };
}
