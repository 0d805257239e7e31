import { expect, it } from "vitest";
import { ask, until } from "../../src/agent/supervisor/sample-app.fake.ts";
import { fakeMinisigner } from "../../src/agent/verify/minisign.fake.ts";
import { openHost, serving } from "./release-host.ts";

const [signer, stranger] = [fakeMinisigner(), fakeMinisigner()];
const signedBy = ({ line }: typeof signer) => ({ verify: { keys: [`minisign:${line}`] } });

it("verifies what is in service, and what it would go back to, by the policy of today", async () => {
  const host = await openHost({ beside: (content) => ({ "app.minisig": signer.sign(content) }) });
  await until(() => host.runs("v1.0.0"));
  await host.publish("v2.0.0", serving);
  await until(() => host.runs("v2.0.0"));

  await host.again(signedBy(signer));
  await until(async () => (await host.ledger()).active?.evidence?.kind === "minisign");
  await until(() => host.runs("v2.0.0"));
  expect((await host.ledger()).uncovered).toBeUndefined();

  // Deployed before anybody was trusted: its bytes are there, and are not taken at their word.
  await host.deploy("v1.0.0");
  await until(() => host.runs("v1.0.0"));
  expect((await host.ledger()).active).toMatchObject({ evidence: { kind: "minisign" } });
}, 60_000);

it("says so, and keeps the app, where the policy of today lets neither in", async () => {
  const host = await openHost({
    ...signedBy(signer),
    beside: (content) => ({ "app.minisig": signer.sign(content) }),
  });
  await until(() => host.runs("v1.0.0"));
  await host.publish("v2.0.0", serving);
  await until(() => host.runs("v2.0.0"));

  await host.again(signedBy(stranger));
  const isRefused = async () => /is signed by the key/.test((await host.status()).uncovered ?? "");
  await until(() => isRefused().catch(() => false));
  await until(() => host.runs("v2.0.0"));
  const back = host.deploy("v1.0.0");

  await expect(back).rejects.toThrow(/v1.0.0 could not be deployed: .* is signed by the key/);
  const { active, quarantined } = await host.status();
  expect(active?.tag).toBe("v2.0.0");
  expect(quarantined).toMatchObject([{ tag: "v1.0.0", failures: 1 }]);
  const before = host.polls();
  await until(() => host.polls() > before + 1_000);
  expect(await ask(host.port())).toBe("v2.0.0");
}, 60_000);
