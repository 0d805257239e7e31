import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, type Stage, until } from "../../bench/stage.ts";
import {
  type FakeSigner,
  fakeKeySigner,
  fakeSigstore,
  pair,
  payloadFor,
  statementFor,
} from "../../src/agent/sigstore/sigstore.fake.ts";
import { streamOf } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { main } from "../../src/cli/main.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { emptyConfig } from "../../src/oci/release-artifact.ts";

const repository = "sample-app";
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const identity = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.0.0";
const issuer = "https://token.actions.githubusercontent.com";

describe("dewy server --verify signature", { timeout: 120_000 }, () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.close());

  it("deploys what cosign's key signed, and keeps it when the next release is signed by another", async () => {
    const { privateKey, publicKey } = pair();
    const key = join(stage.directory, "cosign.pub");
    await writeFile(key, publicKey.export({ type: "spki", format: "pem" }));
    await stage.push("v1.0.0");
    await signUnderTag("v1.0.0", fakeKeySigner(privateKey));
    const port = await freePort();
    const agent = stage.startAgent(port, [...often, "--verify", "signature", "--verify-key", key]);
    await serves(port, "v1.0.0");
    await until("it is committed", async () => agent.log().includes("Keep releases"));

    await stage.push("v1.1.0");
    await signUnderTag("v1.1.0", fakeKeySigner(pair().privateKey));

    await tells(/another key made it, or it is over something else/);
    await serves(port, "v1.0.0");
    expect(agent.log()).toContain("Artifact verified");
  });

  it("deploys what an identity signed, and keeps it when the next release is of another", async () => {
    const { trustRoot, signer } = await fakeSigstore();
    const file = join(stage.directory, "trusted_root.json");
    await writeFile(file, trustRoot);
    await stage.push("v1.0.0");
    await refer("v1.0.0", await signer({ identity, issuer }));
    const wanted = [
      "--verify-identity",
      identity.replace("v1.0.0", "*"),
      "--verify-issuer",
      issuer,
    ];
    const port = await freePort();
    const agent = stage.startAgent(port, [...often, ...wanted, "--verify-trust-root", file]);
    await serves(port, "v1.0.0");
    await until("it is committed", async () => agent.log().includes("Keep releases"));

    await stage.push("v1.1.0");
    const foreign = identity.replace("acme", "mallory");
    await refer("v1.1.0", await signer({ identity: foreign, issuer }));

    await tells(/expected a signature of .*acme\/app.*, found .*: it is of .*mallory\/app/);
    await serves(port, "v1.0.0");
  });

  it("waits for the signature of a new release, and deploys it when it is there", async () => {
    const { privateKey, publicKey } = pair();
    const key = join(stage.directory, "cosign.pub");
    await writeFile(key, publicKey.export({ type: "spki", format: "pem" }));
    await stage.push("v1.0.0");
    const port = await freePort();
    const agent = stage.startAgent(port, [...often, "--verify-key", key]);
    await until("it has looked", async () => agent.log().includes("has no signature"));

    await refer("v1.0.0", fakeKeySigner(privateKey));

    await serves(port, "v1.0.0");
  });

  async function serves(port: number, version: string): Promise<void> {
    await until(`the app answers with ${version}`, async () =>
      (await ask(`http://127.0.0.1:${port}/`)).body.includes(` ${version} `),
    );
  }

  /** `dewy status` and `dewy history` say why the second release is not in service. */
  async function tells(reason: RegExp): Promise<void> {
    for (const command of ["status", "history"]) {
      let said = "";
      await until(`dewy ${command} says why`, async () => {
        said = await outputOf([command, "--json", "-d", join(stage.directory, "app")]);
        return reason.test(said);
      }).catch((error) => {
        throw new Error(`${error}; it says ${said}`);
      });
    }
  }

  async function outputOf(args: readonly string[]): Promise<string> {
    const printed: string[] = [];
    await main(args, {
      print: (line) => printed.push(line),
      note: () => {},
      terminal: undefined,
      environment: {},
      directory: stage.directory,
      signal: AbortSignal.timeout(60_000),
      onRestart: () => () => {},
      clock: systemClock,
    });
    return printed.join("\n");
  }

  const clientOf = () => {
    const http = openHttpClient({ userAgent: "dewy/test" });
    onTestFinished(() => http.close());
    const credentials = async () => undefined;
    return openOciClient({ host: stage.registry, credentials, http, clock: systemClock });
  };

  /** As cosign 2 does: a payload under a tag beside the image. */
  async function signUnderTag(tag: string, signer: FakeSigner): Promise<void> {
    const digest = await digestUnder(tag);
    const payload = payloadFor(digest, `${stage.registry}/${repository}`);
    const mediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
    const annotations = await signer.annotationsOf(payload);
    const layer = { ...(await pushBytes(payload, mediaType)), annotations };
    const config = await pushBytes(Buffer.from("{}"), emptyConfig.mediaType);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [layer],
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const name = `${digest.replace(":", "-")}.sig`;
    const call = { signal: AbortSignal.timeout(10_000) };
    await clientOf().pushManifest(
      repository,
      name,
      { bytes, mediaType: mediaTypes.ociManifest },
      call,
    );
  }

  /** As cosign 3 does: a bundle that refers to the image. */
  async function refer(tag: string, signer: FakeSigner): Promise<void> {
    const digest = await digestUnder(tag);
    const text = await signer.attested(statementFor(digest));
    const content = await pushBytes(Buffer.from(text), bundleType);
    const subject = { mediaType: mediaTypes.ociIndex, digest, size: 1 };
    const referrer = { artifactType: bundleType, annotations: {}, content, subject };
    const call = { signal: AbortSignal.timeout(10_000) };
    await clientOf().pushReferrer(repository, referrer, call);
  }

  async function digestUnder(tag: string): Promise<Digest> {
    const call = { signal: AbortSignal.timeout(10_000) };
    const { digest } = (await clientOf().headManifest(repository, tag, call)) ?? {};
    if (digest === undefined) throw new Error(`nothing is under ${tag}`);
    return digest;
  }

  async function pushBytes(bytes: Buffer, mediaType: string) {
    const digest = digestOf(bytes);
    const call = { signal: AbortSignal.timeout(10_000) };
    const source = { digest, sizeBytes: bytes.length, open: () => streamOf(bytes) };
    await clientOf().pushBlob(repository, source, call);
    return { mediaType, digest, size: bytes.length };
  }
});

const often = ["-i", "1", "-l", "info"];
