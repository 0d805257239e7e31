import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import * as v from "valibot";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { issue } from "./certificate.fake.ts";
import { Http } from "./config-http.ts";
import { openServer } from "./server-open.ts";

it.each(["http", "https"])(
  "gives a silent connection half a minute, and a request its time, by %s",
  async (scheme) => {
    const { served, dial } = await open(scheme === "https");
    const accepted = once(served.server, scheme === "https" ? "secureConnection" : "connection");
    const client = dial();
    const [socket] = (await accepted) as [Socket];
    expect(socket.timeout).toBe(30_000);
    const asked = new Promise<number | undefined>((resolve) => {
      served.prependListener(() => {
        setImmediate(() => resolve(socket.timeout));
      });
    });

    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");

    expect(await asked).toBe(600_000);
  },
);

async function open(isSecure: boolean) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-server-"));
  const { pem } = issue();
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  await writeFile(certificate, pem.cert);
  await writeFile(key, pem.key);
  const http = v.parse(Http, isSecure ? { tls: { certificate, key } } : {});
  const logger = new FakeLogger();
  const parts = { clock: systemClock, logger, environment: {}, noted: () => {} };
  const served = await openServer(http, parts);
  await new Promise<void>((resolve) => served.server.listen(0, "127.0.0.1", resolve));
  const clients: (Socket | TLSSocket)[] = [];
  onTestFinished(async () => {
    for (const client of clients) client.destroy();
    served.server.close();
    await served.release();
    await rm(directory, { recursive: true });
  });
  const { port } = served.server.address() as AddressInfo;
  const dial = () => {
    const client = isSecure
      ? connectTls({ port, host: "127.0.0.1", ca: pem.cert })
      : connect(port, "127.0.0.1");
    clients.push(client);
    return client;
  };
  return { served, dial };
}
