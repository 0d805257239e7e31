import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { openAuthority } from "./certificates.ts";
import { type Daemon, startDaemon, temporaryDirectory } from "./program.ts";

/** Let's Encrypt's own server for tests, with a name server that leads every name to this machine. */
export interface Pebble {
  /** `http.tls.letsencrypt.directoryurl` */
  directoryUrl: string;
  /** A file: whom to trust that it is the server. */
  ca: string;
  /** Whom to trust that issued certificates are good, as PEM. */
  root(): Promise<string>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface PebbleOptions {
  /** Where it looks for whom it validates, as an authority looks at 443. */
  tlsPort: number;
  /** How long its certificates are good. */
  validSeconds?: number;
}

/** It is not running yet. */
export async function preparePebble({ tlsPort, validSeconds }: PebbleOptions): Promise<Pebble> {
  const directory = await temporaryDirectory("pebble");
  const authority = await openAuthority();
  onTestFinished(() => authority.close());
  const { cert, key } = await authority.issue("pebble");
  const [port, management, dns, control] = await freePorts();
  const config = join(directory, "pebble.json");
  const settings = {
    ...{ listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}` },
    ...{ certificate: cert, privateKey: key, tlsPort, httpPort: 1 },
    ...(validSeconds !== undefined && { certificateValidityPeriod: validSeconds }),
  };
  await writeFile(config, JSON.stringify({ pebble: settings }));
  const ca = await readFile(authority.ca.cert, "utf8");
  const directoryUrl = `https://localhost:${port}/dir`;
  const isThere = (url: string) => textAt(url, ca).then(Boolean, () => false);
  let daemons: Daemon[] = [];
  return {
    directoryUrl,
    ca: authority.ca.cert,
    root: () => textAt(`https://localhost:${management}/roots/0`, ca),
    async start() {
      const names = ["-dns01", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${control}`];
      const off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
      const resolver = await startDaemon("pebble-challtestsrv", [...names, ...off], () =>
        fetch(`http://127.0.0.1:${control}/`).then(
          () => true,
          () => false,
        ),
      );
      const args = ["-config", config, "-dnsserver", `127.0.0.1:${dns}`, "-strict"];
      const environment = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" };
      daemons = [
        resolver,
        await startDaemon("pebble", args, () => isThere(directoryUrl), environment),
      ];
    },
    async stop() {
      for (const daemon of daemons) await daemon.stop();
      daemons = [];
    },
  };
}

async function freePorts(): Promise<[number, number, number, number]> {
  return [await freePort(), await freePort(), await freePort(), await freePort()];
}

function textAt(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("end", () => resolve(text));
    });
    asked.once("error", reject).end();
  });
}
