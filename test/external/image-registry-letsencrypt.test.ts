import { type ChildProcess, spawn } from "node:child_process";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, type TlsAnswer } from "../../src/registry/tls-client.fake.ts";
import { describeWith } from "../component.ts";
import { type Pebble, preparePebble } from "./pebble.ts";
import { temporaryDirectory } from "./program.ts";
import { program } from "./served-registry.ts";

const programs = ["pebble", "pebble-challtestsrv", "openssl"] as const;
const limit = { timeout: 120_000 };
const soon = { timeout: 60_000, interval: 300 };

describeWith(...programs)("the image registry and an ACME authority", () => {
  it(
    "starts without it, is issued a certificate for each host, and keeps them",
    limit,
    async () => {
      const { pebble, cachefile, port, serve } = await prepared();
      const registry = serve(["one.example.com", "two.example.com"]);
      await registry.says("there is no TLS certificate yet");
      expect(registry.log()).toContain("cannot reach localhost");
      await expect(askFor("one.example.com", port)).rejects.toThrow();

      await pebble.start();

      const ca = await pebble.root();
      const serials = new Map<string, string>();
      for (const host of ["one.example.com", "two.example.com"]) {
        await expect.poll(() => statusOf(askFor(host, port, ca)), soon).toBe(200);
        serials.set(host, (await askFor(host, port, ca)).serialNumber);
      }
      expect(new Set(serials.values()).size).toBe(2);
      await expect(askFor("three.example.com", port, ca)).rejects.toThrow();
      expect(await registry.metrics()).toMatch(
        /registry_tls_certificate_not_after_timestamp_seconds\{certificate="one.example.com"\} \d+/,
      );
      expect((await readdir(cachefile)).sort()).toEqual([
        "acme_account+key",
        ...["one.example.com", "two.example.com"],
      ]);
      for (const file of await readdir(cachefile)) {
        expect((await stat(join(cachefile, file))).mode & 0o777).toBe(0o600);
      }

      await pebble.stop();
      await registry.stop();
      const restarted = serve(["one.example.com", "two.example.com"]);

      await restarted.says("listens on");
      for (const [host, serial] of serials) {
        expect((await askFor(host, port, ca)).serialNumber).toBe(serial);
      }
      expect(restarted.log()).not.toContain("is asked for");
    },
  );

  it("renews in time, and shows nobody else what it shows the authority", limit, async () => {
    const { pebble, port, serve } = await prepared({ validSeconds: 15 });
    await pebble.start();
    const registry = serve(["one.example.com"]);
    const ca = await pebble.root();
    const serialNow = () =>
      askFor("one.example.com", port, ca).then(
        ({ serialNumber }) => serialNumber,
        () => "",
      );
    await expect.poll(serialNow, soon).not.toBe("");
    const first = await serialNow();

    await expect.poll(serialNow, { ...soon, interval: 20 }).not.toBe(first);

    await registry.says("TLS certificate was renewed");
    expect(registry.log()).not.toContain("could not be renewed");
  });

  it("says what the authority could not validate", limit, async () => {
    const { pebble, serve } = await prepared({ elsewhere: true });
    await pebble.start();

    const registry = serve(["one.example.com"]);

    await registry.says("the authority could not validate one.example.com: ");
    await registry.says("see that port 443 of one.example.com leads here");
    expect(registry.log()).toContain("nextAttempt");
  });
});

async function prepared({ validSeconds = 86_400 * 90, elsewhere = false } = {}) {
  const [port, debugPort] = [await freePort(), await freePort()];
  const tlsPort = elsewhere ? await freePort() : port;
  const pebble = await preparePebble({ tlsPort, validSeconds });
  const cachefile = join(await temporaryDirectory("letsencrypt"), "cache");
  const rootdirectory = await temporaryDirectory("registry");
  const file = join(await temporaryDirectory("config"), "config.yml");
  return { pebble, cachefile, port, serve };

  function serve(hosts: readonly string[]) {
    const asked = `cachefile: ${cachefile}, hosts: [${hosts}], email: a@example.com`;
    const text = `version: 0.1
storage: {filesystem: {rootdirectory: ${rootdirectory}}}
http:
  addr: 127.0.0.1:${port}
  debug: {addr: "127.0.0.1:${debugPort}", prometheus: {enabled: true}}
  tls: {letsencrypt: {${asked}, directoryurl: "${pebble.directoryUrl}"}}
`;
    return serveWith({ file, text, pebble, debugPort });
  }
}

function serveWith(parts: { file: string; text: string; pebble: Pebble; debugPort: number }) {
  const { file, text, pebble, debugPort } = parts;
  let log = "";
  let child: ChildProcess | undefined;
  const started = writeFile(file, text).then(() => {
    child = spawn(process.execPath, [program, "registry", "serve", file], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: pebble.ca },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
  });
  const stop = async () => {
    await started;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child?.once("close", resolve));
    child.kill("SIGTERM");
    await ended;
  };
  onTestFinished(stop);
  return {
    stop,
    log: () => log,
    says: (what: string) => expect.poll(() => log, soon).toContain(what),
    metrics: async () => (await fetch(`http://127.0.0.1:${debugPort}/metrics`)).text(),
  };
}

function askFor(host: string, port: number, ca?: string): Promise<TlsAnswer> {
  return ask(`https://127.0.0.1:${port}/v2/`, { servername: host, ...(ca && { ca }) });
}

const statusOf = (asked: Promise<TlsAnswer>): Promise<number | undefined> =>
  asked.then(
    ({ status }) => status,
    () => undefined,
  );
