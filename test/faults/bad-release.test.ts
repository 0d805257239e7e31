import { expect, it } from "vitest";
import type { HealthOptions } from "../../src/agent/readiness/health.ts";
import { ask, until } from "../../src/agent/supervisor/sample-app.fake.ts";
import type { VerifyOptions } from "../../src/agent/verify/index.ts";
import { fakeMinisigner } from "../../src/agent/verify/minisign.fake.ts";
import { digestOf, hexOf } from "../../src/oci/digest.ts";
import { type HostOptions, openHost, sayReady, serving } from "./release-host.ts";

/** How many polls may not try a bad release again. */
const manyPolls = 1_000;

const path = "/health";

/** A while after the first request, which is a probe's: so after it was found ready, on a slow machine too. */
const sinceAsked = (deed: string) =>
  ` servers[0].once("request", () => setTimeout(() => { ${deed} }, 2_000));`;

interface Fault {
  what: string;
  body: string;
  reason: RegExp;
  health?: Partial<HealthOptions>;
  hook?: string;
  isTampered?: boolean;
  verify?: VerifyOptions;
  /** As the metric of verifications counts it. */
  outcome?: string;
  /** What the release before it does, where that is to be more than to serve. */
  first?: string;
  /** The files beside the one that is deployed, in every release. */
  beside?: HostOptions["beside"];
}

const signer = fakeMinisigner();
const signed = { keys: [`minisign:${signer.line}`] };
const isGood = (tag: string) => tag !== "v2.0.0";

const faults: Fault[] = [
  { what: "exits at once", body: "process.exit(3)", reason: /ended with status 3/ },
  {
    what: "never accepts a connection",
    body: "setInterval(() => {}, 1000);",
    reason: /not ready within 2 s: (nobody|only the old process) accepts connections on port/,
    health: { timeoutMs: 2_000 },
  },
  {
    what: "answers 500",
    body: "listen((_, response) => response.writeHead(500).end());",
    reason: /not ready within 3 s: GET \/health answered 500, not 200-399/,
    health: { path, timeoutMs: 3_000 },
  },
  {
    what: "answers as another version",
    body: 'listen((_, response) => response.end("v0.9.0"));',
    reason: /not ready within 3 s: GET \/health answered 200, without "v2.0.0" in it/,
    health: { path, match: "{tag}", timeoutMs: 3_000 },
  },
  {
    what: "fails its health command",
    body: serving,
    reason: /not ready within 2 s: the health command ended with status 1/,
    health: { command: 'test "$DEWY_TAG" = v1.0.0 && kill -0 "$DEWY_PID"', timeoutMs: 2_000 },
  },
  {
    what: "crashes in its bake",
    body: serving + sinceAsked("process.exit(4)"),
    reason: /it got the traffic, and then .* ended with status 4/,
    health: { path, bakeMs: 600_000 },
  },
  {
    what: "begins to answer 500 in its bake",
    body: `let status = 200; listen((_, response) => response.writeHead(status).end(tag));${sinceAsked("status = 500")}`,
    reason: /failed .* s after it got the traffic: GET \/health answered 500/,
    health: { path, bakeMs: 600_000 },
  },
  {
    what: "hangs in its bake",
    body: serving + sinceAsked("for (;;);"),
    reason: /failed .* s after it got the traffic: /,
    health: { path, bakeMs: 600_000, timeoutMs: 8_000 },
  },
  {
    what: "never says that it is ready",
    body: serving,
    first: serving + sayReady,
    reason: /not ready within 2 s: it has written no line to descriptor 9/,
    health: { notify: { by: "descriptor", number: 9 }, timeoutMs: 2_000 },
  },
  {
    what: "fails its before-hook",
    body: serving,
    reason: /before-deploy hook ended with status 1/,
    hook: 'test "$DEWY_TAG" = v1.0.0 || { echo "no such table" >&2; exit 1; }',
  },
  {
    what: "has another digest than was announced",
    body: serving,
    reason: /expected sha256:.*, received sha256:/,
    isTampered: true,
  },
  {
    what: "has another checksum than its SHA256SUMS say",
    outcome: "mismatch",
    body: serving,
    reason: /app: SHA256SUMS expects sha256:.*, received sha256:/,
    beside: (content, tag) => ({
      SHA256SUMS: `${hexOf(digestOf(isGood(tag) ? content : tag))}  app\n`,
    }),
  },
  {
    what: "has a signature of other bytes",
    outcome: "mismatch",
    body: serving,
    reason: /app.minisig is no signature of this app by the key/,
    verify: signed,
    beside: (content, tag) => ({ "app.minisig": signer.sign(isGood(tag) ? content : tag) }),
  },
  {
    what: "is signed by a stranger",
    outcome: "untrusted",
    body: serving,
    reason: /app.minisig is signed by the key .*, and trusted is/,
    verify: signed,
    beside: (content, tag) => ({
      "app.minisig": (isGood(tag) ? signer : fakeMinisigner()).sign(content),
    }),
  },
  {
    what: "has no signature",
    outcome: "missing",
    body: serving,
    reason: /app of v2.0.0 has no signature \(minisign.*\): beside it there is nothing/,
    verify: signed,
    beside: (content, tag): Record<string, string> =>
      isGood(tag) ? { "app.minisig": signer.sign(content) } : {},
  },
  {
    what: "is an older one under a new tag",
    outcome: "replayed",
    body: serving,
    reason: /app.minisig of v2.0.0 was signed at 2025-.*, and v1.0.0, deployed before, at 2026-/,
    verify: signed,
    beside: (content, tag) => {
      const comment = `timestamp:${isGood(tag) ? 1_767_225_600 : 1_764_547_200}`;
      return { "app.minisig": signer.sign(content, { comment }) };
    },
  },
];

it.each(faults)(
  "keeps the old release in service, and tries it no more: a release that $what",
  async ({ ...fault }) => {
    const host = await openHost({ ...fault, beforeDeployHook: fault.hook });
    await until(() => host.answers("v1.0.0"));

    await host.publish("v2.0.0", fault.body, fault.isTampered);
    await until(async () => (await host.ledger()).quarantined?.length === 1);

    const { active, quarantined = [] } = await host.ledger();
    expect(active?.tag).toBe("v1.0.0");
    expect(quarantined).toMatchObject([
      { tag: "v2.0.0", failures: 1, reason: expect.stringMatching(fault.reason) },
    ]);
    expect(quarantined[0]?.logTail).toEqual(fault.hook ? ["no such table"] : []);
    await until(async () => (await host.told()).at(-1)?.[0] === "release quarantined");
    expect(await host.told()).toEqual([
      ["deployed", "v1.0.0"],
      ...(fault.hook ? [["hook failed", "v2.0.0"]] : []),
      ["deployment failed", "v2.0.0"],
      ["release quarantined", "v2.0.0"],
    ]);
    await isToldEverywhere(host, fault);
    const notices = host.notices().length;
    for (let time = 0; time < 20; time++) expect(await ask(host.port())).toBe("v1.0.0");

    const before = host.polls();
    await until(() => host.polls() > before + manyPolls);
    expect(await host.told()).toHaveLength(fault.hook ? 4 : 3);
    await isToldEverywhere(host, fault);
    expect(host.notices()).toHaveLength(notices);

    await host.publish("v2.0.1", serving);
    if (!fault.hook && !fault.health) await until(() => host.answers("v2.0.1"));
  },
  60_000,
);

it("takes no older release when the newer one has gone from the registry, until a person says so", async () => {
  const beside = (content: string) => ({ "app.minisig": signer.sign(content) });
  const host = await openHost({ verify: signed, beside });
  await until(() => host.runs("v1.0.0"));
  await host.publish("v2.0.0", serving);
  await until(() => host.runs("v2.0.0"));

  host.unpublish("v2.0.0");
  await until(async () => (await host.ledger()).quarantined?.length === 1);

  const { active, quarantined } = await host.ledger();
  expect(active).toMatchObject({ tag: "v2.0.0", evidence: { kind: "minisign" } });
  const reason = expect.stringMatching(/offers v1.0.0 as its newest, and v2.0.0 was verified at/);
  expect(quarantined).toMatchObject([{ tag: "v1.0.0", reason }]);
  const before = host.polls();
  await until(() => host.polls() > before + manyPolls);
  expect(await ask(host.port())).toBe("v2.0.0");

  await host.pin("v1.0.0");
  await until(() => host.runs("v1.0.0"));
}, 60_000);

it("keeps the release that is pinned, when other bytes are published under its tag", async () => {
  const host = await openHost({});
  await until(() => host.runs("v1.0.0"));
  const { active: before } = await host.ledger();
  await host.pin("v1.0.0");

  host.unpublish("v1.0.0");
  await host.publish("v1.0.0", "process.exit(3)");
  const polls = host.polls();
  await until(() => host.polls() > polls + manyPolls);

  const { active, pinned, attempt } = await host.ledger();
  expect(active).toEqual(before);
  expect(pinned).toMatchObject({ tag: "v1.0.0", identity: before?.identity });
  expect(attempt).toBeUndefined();
  expect(await ask(host.port())).toBe("v1.0.0");

  await host.deploy("v1.0.0").catch(() => {});
  expect((await host.ledger()).quarantined).toMatchObject([{ tag: "v1.0.0" }]);
}, 60_000);

it("takes a release into service once it has baked", async () => {
  const host = await openHost({ health: { path, match: "{tag}", bakeMs: 1_500 } });
  await until(() => host.answers("v1.0.0"));

  await host.publish("v2.0.0", serving);
  await until(async () => (await host.ledger()).active?.tag === "v2.0.0");
  await until(() => host.answers("v2.0.0"));

  expect(host.logger.messages("info")).toContain(
    "Bake: watching the new release beside the old one",
  );
}, 60_000);

/** Status, history, notices and metrics have the verdict and its reason, and have it once. */
async function isToldEverywhere(
  host: Awaited<ReturnType<typeof openHost>>,
  { reason, outcome }: Fault,
): Promise<void> {
  const { active, quarantined, attempt } = await host.status();
  expect(active?.tag).toBe("v1.0.0");
  expect(attempt?.tag).not.toBe("v1.0.0");
  expect(quarantined).toMatchObject([{ tag: "v2.0.0", reason: expect.stringMatching(reason) }]);
  const [last] = (await host.history()).slice(-1);
  const error = expect.stringMatching(reason);
  expect(last).toMatchObject({ event: "release quarantined", tag: "v2.0.0", error });
  await until(() => host.notices().some((text) => text.includes("v2.0.0") && reason.test(text)));
  expect(await host.metrics("dewy_deployment_errors_total")).toEqual([
    expect.stringMatching(/ 1$/),
  ]);
  const quarantines = await host.metrics("dewy_releases_quarantined_total");
  expect(quarantines).toEqual([expect.stringMatching(/ 1$/)]);
  const failed = await host.metrics("dewy_verifications_total");
  expect(failed.filter((line) => !line.includes('"passed"'))).toEqual(
    outcome ? [expect.stringMatching(`outcome="${outcome}".* 1$`)] : [],
  );
}
