import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { type Issued, issue } from "./certificate.fake.ts";
import { type FileTls, Tls } from "./config-tls.ts";
import { openHere } from "./served-registry.fake.ts";
import { followCertificates, readCertificates } from "./server-tls.ts";
import { ask, negotiated } from "./tls-client.fake.ts";

const own = issue();
const clients = issue({ name: "clients", isAuthority: true });
const strangers = issue({ name: "strangers", isAuthority: true });
const shown = {
  nothing: {},
  ours: asClient(issue({ name: "client", issuer: clients })),
  "a stranger's": asClient(issue({ name: "stranger", issuer: strangers })),
};

const refused = "a TLS connection was refused";

describe("TLS", () => {
  it("serves HTTP/1.1 and HTTP/2, whichever the client likes", async () => {
    const { address, ca } = await openTls();

    expect(address).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await ask(`${address}/v2/`, { ca })).toMatchObject({ status: 200, body: "{}" });
    expect(await negotiated(address, { ca, ALPNProtocols: ["h2", "http/1.1"] })).toBe("h2");
    expect(await negotiated(address, { ca, ALPNProtocols: ["http/1.1"] })).toBe("http/1.1");
    expect(await negotiated(address, { ca })).toBe(false);
  });

  it("leaves out HTTP/2 when it is told to", async () => {
    const { address, ca } = await openTls("", ", http2: {disabled: true}");

    const chosen = await negotiated(address, { ca, ALPNProtocols: ["h2", "http/1.1"] });

    expect(chosen).toBe("http/1.1");
  });

  it.each([
    ["", { maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }, undefined],
    ["", { maxVersion: "TLSv1.2" }, "TLSv1.2"],
    ["", {}, "TLSv1.3"],
    ["minimumtls: tls1.3", { maxVersion: "TLSv1.2" }, undefined],
    ["minimumtls: tls1.3", {}, "TLSv1.3"],
    ["ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", aes256, undefined],
    ["ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", aes256, "TLSv1.2"],
    ["ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", {}, "TLSv1.3"],
  ] as const)("with {%s} speaks to a client of %j: %s", async (settings, client, expected) => {
    const { address, ca } = await openTls(settings);

    const answer = ask(`${address}/v2/`, { ca, ...client }).catch(() => undefined);

    expect((await answer)?.protocol).toBe(expected);
  });

  it.each([
    ["", "nothing", false],
    ["", "ours", true],
    ["", "a stranger's", false],
    ["request-client-cert", "nothing", true],
    ["request-client-cert", "a stranger's", true],
    ["require-any-client-cert", "nothing", false],
    ["require-any-client-cert", "a stranger's", true],
    ["verify-client-cert-if-given", "nothing", true],
    ["verify-client-cert-if-given", "ours", true],
    ["verify-client-cert-if-given", "a stranger's", false],
    ["require-and-verify-client-cert", "nothing", false],
    ["require-and-verify-client-cert", "ours", true],
  ] as const)("with clientauth %j and %s shown, lets in: %s", async (kind, what, expected) => {
    const clientCas = await fileWith("clients.pem", clients.pem.cert);
    const auth = kind === "" ? "" : `, clientauth: ${kind}`;
    const { address, ca, logger } = await openTls(`clientcas: [${clientCas}]${auth}`);

    const answer = ask(`${address}/v2/`, { ca, ...shown[what] }).then(
      ({ status }) => status === 200,
      () => false,
    );

    expect(await answer).toBe(expected);
    const refusals = () => logger.messages("info").filter((line) => line === refused);
    await expect.poll(refusals, { timeout: 10_000 }).toEqual(expected ? [] : [refused]);
    const isTold = JSON.stringify(logger.lines).includes("not trusted by http.tls.clientcas");
    expect(isTold).toBe(!expected && what === "a stranger's");
  });

  it("says who speaks plain HTTP to it", async () => {
    const { address, logger } = await openTls();

    await expect(fetch(address.replace("https:", "http:"))).rejects.toThrow();

    await expect.poll(() => logger.messages("info"), { timeout: 10_000 }).toContain(refused);
    expect(JSON.stringify(logger.lines)).toContain("it speaks plain HTTP: have it use https://");
  });

  it("writes locations as the client reached it", async () => {
    const { address, ca } = await openTls("", ", headers: {X: [y]}");

    const answer = await ask(`${address}/v2/a/blobs/uploads/1`, { ca });

    expect(answer.status).toBe(404);
  });

  it("takes a renewed certificate into use without breaking a connection", async () => {
    const { address, ca, files, logger } = await openTls();
    const before = await ask(`${address}/v2/`, { ca });
    const renewed = issue({ name: "renewed" });

    await writeFile(files.certificate, renewed.pem.cert);
    await writeFile(files.key, renewed.pem.key);

    const serialNow = async () =>
      (await ask(`${address}/v2/`, { ca: [ca, renewed.pem.cert] })).serialNumber;
    await expect
      .poll(serialNow, { timeout: 15_000, interval: 200 })
      .toBe(renewed.certificate.serialNumber);
    expect(before.serialNumber).toBe(own.certificate.serialNumber);
    expect(logger.messages("info")).toContain("TLS certificate was renewed");
  });

  it.each([
    ["no certificate", { cert: "" }, "cannot be used"],
    ["no key", { key: "" }, "cannot be used"],
    ["the key of another", { key: issue().pem.key }, "cannot be used"],
    ["a key of another kind", { key: rsaKey() }, "cannot be used"],
    ["a missing file", undefined, "cannot be read"],
  ])("does not open with %s, and names the files", async (_what, change, message) => {
    const { cert, key } = { ...own.pem, ...change };
    const certificate = change ? await fileWith("c.pem", cert) : "/nowhere/c.pem";

    const opening = openHere(
      "",
      `tls: {certificate: ${certificate}, key: ${await fileWith("k.pem", key)}}`,
    );

    await expect(opening).rejects.toMatchObject({
      code: "INVALID_CERTIFICATE",
      message: expect.stringMatching(new RegExp(`http\\.tls.*c\\.pem.*${message}`)),
      hint: expect.any(String),
    });
  });
});

describe("followCertificates", () => {
  it("uses a changed pair, and goes on with the old one while there is none", async () => {
    const { tls, clock, logger, contexts } = await following();
    const renewed = issue();

    await writeFile(tls.key, renewed.pem.key);
    await ticks(clock);
    expect(contexts).toEqual([]);
    expect(logger.messages("warn")).toEqual(["the changed TLS certificate is not used"]);
    await ticks(clock);
    expect(logger.messages("warn")).toHaveLength(1);
    await writeFile(tls.certificate, renewed.pem.cert);
    await ticks(clock);

    expect(contexts).toEqual([renewed.pem.cert]);
    await ticks(clock);
    expect(contexts).toHaveLength(1);
  });

  it("says when a certificate has expired", async () => {
    const expired = issue({ to: new Date("2025-12-31T00:00:00Z") });
    const { logger } = await following(expired);

    expect(logger.messages("warn")).toEqual(["TLS certificate has expired"]);
  });
});

const aes256 = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" } as const;

function rsaKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return String(privateKey.export({ format: "pem", type: "pkcs8" }));
}

function asClient({ pem }: Issued) {
  return { cert: pem.cert, key: pem.key };
}

async function openTls(settings = "", http = "") {
  const files = await filesOf(own);
  const logger = new FakeLogger();
  const more = settings === "" ? "" : `, ${settings}`;
  const tls = `tls: {certificate: ${files.certificate}, key: ${files.key}${more}}${http}`;
  const { address } = await openHere("", tls, logger);
  return { address, ca: own.pem.cert, files, logger };
}

async function following(issued = own) {
  const tls = v.parse(Tls, await filesOf(issued)) as FileTls;
  const clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
  const logger = new FakeLogger();
  const contexts: string[] = [];
  const server = {
    setSecureContext: ({ cert }: { cert?: unknown }) => void contexts.push(String(cert)),
  };
  const certificates = await readCertificates(tls);
  const followed = followCertificates(tls, { server, certificates, noted() {}, clock, logger });
  onTestFinished(() => followed.stop());
  return { tls, clock, logger, contexts };
}

/** One look at the files, to its end. */
async function ticks(clock: FakeClock): Promise<void> {
  await expect.poll(() => clock.sleeping).toBe(1);
  await clock.advance(2_000);
  await expect.poll(() => clock.sleeping).toBe(1);
}

async function filesOf({ pem }: Issued) {
  return { certificate: await fileWith("c.pem", pem.cert), key: await fileWith("k.pem", pem.key) };
}

async function fileWith(name: string, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-tls-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}
