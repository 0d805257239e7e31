import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import {
  type FakeSigstore,
  fakeSigstore,
  statementFor,
} from "../../src/agent/sigstore/sigstore.fake.ts";
import { ask, until } from "../../src/agent/supervisor/sample-app.fake.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { openHost, serving } from "./release-host.ts";

/** How many polls may not try a bad release again. */
const manyPolls = 1_000;

const workflow = (repository: string, tag: string) =>
  `https://github.com/${repository}/.github/workflows/release.yml@refs/tags/${tag}`;
const issuer = "https://token.actions.githubusercontent.com";
const provenance = "https://slsa.dev/provenance/v1";

interface Fault {
  what: string;
  /** What is attested of `v2.0.0`; nothing at all when it resolves to `undefined`. */
  attest(sigstore: FakeSigstore, content: string): Promise<string | undefined>;
  reason: RegExp;
}

const faults: Fault[] = [
  {
    what: "nobody attested",
    attest: async () => undefined,
    reason: /^app of v2.0.0 has no signature/,
  },
  {
    what: "the workflow of another repository attested",
    attest: (sigstore, content) => attested(sigstore, content, { repository: "mallory/app" }),
    reason: /expected a signature of .*acme\/app.*, found .*: it is of .*mallory\/app/,
  },
  {
    what: "another issuer vouched for",
    attest: (sigstore, content) => attested(sigstore, content, { issuer: "https://login.test" }),
    reason: /found .*: it is of .*acme\/app.* \(https:\/\/login\.test\)/,
  },
  {
    what: "another authority vouched for",
    attest: async (_, content) => attested(await fakeSigstore(), content),
    reason: /its certificate is of no authority in the trust root/,
  },
  {
    what: "an attestation of other bytes is given for",
    attest: (sigstore) => attested(sigstore, "other bytes"),
    reason: /found .*: it is for sha256:[0-9a-f]{64}, by .*acme\/app/,
  },
  {
    what: "was only scanned, and not built, by the workflow",
    attest: (sigstore, content) =>
      attested(sigstore, content, {
        predicateType: "https://cosign.sigstore.dev/attestation/vuln/v1",
      }),
    reason: /it attests https:\/\/cosign.sigstore.dev\/attestation\/vuln\/v1, by/,
  },
];

it.each(faults)(
  "keeps the old release in service, and tries it no more: a release that $what",
  async ({ attest, reason }) => {
    const sigstore = await fakeSigstore();
    const host = await openHost({
      verify: {
        ...{ policy: "signature", issuer, trustRoot: await fileWith(sigstore.trustRoot) },
        identity: workflow("acme/app", "*"),
      },
      async attest(tag, content) {
        const text = await (tag === "v2.0.0" ? attest : attested)(sigstore, content);
        return text === undefined ? undefined : JSON.parse(text);
      },
    });
    await until(() => host.runs("v1.0.0"));

    await host.publish("v2.0.0", serving);
    await until(async () => (await host.ledger()).quarantined?.length === 1);

    const { active, quarantined = [] } = await host.ledger();
    expect(active?.tag).toBe("v1.0.0");
    expect(quarantined).toMatchObject([
      { tag: "v2.0.0", failures: 1, reason: expect.stringMatching(reason) },
    ]);
    const before = host.polls();
    await until(() => host.polls() > before + manyPolls);
    expect(await host.told()).toEqual([
      ["deployed", "v1.0.0"],
      ["deployment failed", "v2.0.0"],
      ["release quarantined", "v2.0.0"],
    ]);
    expect(await ask(host.port())).toBe("v1.0.0");

    await host.publish("v2.0.1", serving);
    await until(() => host.answers("v2.0.1"));
  },
  60_000,
);

async function attested(
  sigstore: FakeSigstore,
  content: string,
  other: { repository?: string; issuer?: string; predicateType?: string } = {},
): Promise<string> {
  const { repository = "acme/app", predicateType = provenance } = other;
  const identity = workflow(repository, "v2.0.0");
  const signer = await sigstore.signer({ identity, issuer: other.issuer ?? issuer });
  return signer.attested(statementFor(digestOf(content), predicateType));
}

async function fileWith(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-trust-root-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "trusted_root.json");
  await writeFile(path, text);
  return path;
}
