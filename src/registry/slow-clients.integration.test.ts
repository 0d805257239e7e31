import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { issue } from "./certificate.fake.ts";
import { begin, blob, digest, openHere, push, pushImage } from "./served-registry.fake.ts";
import { askHttp2, openSession } from "./tls-client.fake.ts";

/** Longer than a busy disk takes to put away what is pushed here. */
const timeouts = "timeouts: {head: 1s, idle: 10m, stall: 8s}";
const many = 80;
const large = Buffer.alloc(16 * 1024 ** 2, "x");

describe("the registry, with clients that send a byte now and then", () => {
  it("serves the others meanwhile, and ends them", async () => {
    const { address } = await openHere("", timeouts);
    await push(address, "a", blob);
    const { pathname } = new URL(await begin(address, "a"));
    const patch = `PATCH ${pathname} HTTP/1.1\r\nHost: a\r\n`;
    const beginnings = [
      "GET /v2/ HTTP/1.1\r\nX: ",
      `${patch}Content-Length: 100000\r\n\r\n`,
      `${patch}Transfer-Encoding: chunked\r\n\r\nffff\r\n`,
      "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
    ];
    const slow = beginnings.flatMap((beginning) =>
      Array.from({ length: many / beginnings.length }, () => trickle(address, beginning)),
    );

    for (let turn = 0; turn < 5; turn++) await pushImage(address, "b", `v${turn}`);
    const pulled = await fetch(`${address}/v2/a/blobs/${digest}`);
    expect(blob.equals(Buffer.from(await pulled.arrayBuffer()))).toBe(true);

    await Promise.all(slow);
    expect((await fetch(`${address}/v2/`)).status).toBe(200);
  });

  it("ends whoever takes next to nothing of an answer", async () => {
    const logger = new FakeLogger();
    const { address } = await openHere("", timeouts, logger);
    await push(address, "a", large);
    const socket = dial(address);
    socket.write(`GET /v2/a/blobs/${digestOf(large)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await once(socket, "readable");

    const timer = setInterval(() => void socket.read(1), 50);

    onTestFinished(() => clearInterval(timer));
    const cutOff = expect.objectContaining({ fields: expect.objectContaining({ status: 499 }) });
    await expect.poll(() => logger.lines, { timeout: 30_000 }).toContainEqual(cutOff);
  });

  it("ends a stream of HTTP/2 as well", async () => {
    const { session } = await openOverHttp2();
    const begun = await askHttp2(session, { ":method": "POST", ":path": "/v2/a/blobs/uploads/" });
    const { pathname } = new URL(String(begun.headers.location));
    const stream = session.request({ ":method": "PATCH", ":path": pathname });
    stream.on("error", () => {});
    const timer = setInterval(() => stream.write("x"), 100);
    onTestFinished(() => clearInterval(timer));

    await new Promise((resolve) => stream.once("close", resolve)); // also by an error

    expect((await askHttp2(session, { ":path": "/v2/" })).status).toBe(200);
  });
});

function dial(address: string): Socket {
  const socket = connect(Number(new URL(address).port), "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Sends another byte again and again until the connection is closed. */
async function trickle(address: string, beginning: string): Promise<void> {
  const socket = dial(address);
  socket.write(beginning);
  socket.resume();
  const timer = setInterval(() => socket.write("x"), 100);
  onTestFinished(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve)); // by a reset, too
  clearInterval(timer);
}

async function openOverHttp2() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-tls-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const { pem } = issue();
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  await writeFile(certificate, pem.cert);
  await writeFile(key, pem.key);
  const { address } = await openHere(
    "",
    `${timeouts}, tls: {certificate: ${certificate}, key: ${key}}`,
  );
  return { session: await openSession(address, pem.cert) };
}
