import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { issue } from "../../src/registry/certificate.fake.ts";
import { openHere } from "../../src/registry/served-registry.fake.ts";
import { askHttp2, openSession } from "../../src/registry/tls-client.fake.ts";
import { cancel, field, flag, frame, head, kind, preface } from "./http2-frames.ts";

const own = issue();
const blob = Buffer.alloc(4 * 1024 * 1024);

/** Makes the next bytes to send; the number is the turn. */
type Flood = (turn: number) => Buffer;

it.each<[string, Flood]>([
  [
    "streams that are reset at once",
    (turn) => {
      const id = 2 * turn + 1;
      return Buffer.concat([
        frame(kind.headers, flag.endStream | flag.endHeaders, id, head("GET", "/v2/")),
        frame(kind.reset, 0, id, cancel),
      ]);
    },
  ],
  [
    "a header that does not end",
    (turn) =>
      turn === 0
        ? frame(kind.headers, 0, 1, head("GET", "/v2/"))
        : frame(kind.continuation, 0, 1, field(`x-${turn}`, "y".repeat(100))),
  ],
  ["questions whose answers it does not read", () => frame(kind.ping, 0, 0, Buffer.alloc(8))],
  ["settings without end", () => frame(kind.settings, 0, 0)],
  [
    "a body of nothing",
    (turn) =>
      turn === 0
        ? frame(kind.headers, flag.endHeaders, 1, head("POST", "/v2/a/blobs/uploads/?digest=x"))
        : frame(kind.data, 0, 1),
  ],
  ["frames of no kind", () => frame(99, 0, 0, Buffer.alloc(100, "x"))],
  ["frames for streams that are not", () => frame(kind.data, 0, 77, Buffer.alloc(100, "x"))],
  ["no HTTP at all", () => Buffer.alloc(100, "x")],
])("serves others while one client sends %s, and keeps nothing of it", async (_what, flood) => {
  const { address, logger } = await open();
  const session = openSession(address, own.pem.cert);
  const socket = await connected(address);
  const before = process.memoryUsage().arrayBuffers;

  for (let turn = 0; turn < 20_000 && !socket.closed; turn += 500) {
    const frames = Array.from({ length: 500 }, (_, index) => flood(turn + index));
    socket.write(Buffer.concat(frames));
    expect((await askHttp2(session, { ":path": "/v2/" })).status).toBe(200);
  }
  socket.destroy();

  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  expect(logger.messages("error")).toEqual([]);
});

it("holds little for streams that ask for blobs and let nothing come", async () => {
  const { address, logger } = await open();
  const session = openSession(address, own.pem.cert);
  const digest = digestOf(blob);
  const path = `/v2/a/blobs/uploads/?digest=${digest}`;
  expect((await askHttp2(session, { ":method": "POST", ":path": path }, blob)).status).toBe(201);
  const before = process.memoryUsage().arrayBuffers;

  const sockets = await Promise.all(Array.from({ length: 5 }, () => connected(address)));
  for (const socket of sockets) {
    socket.write(frame(kind.settings, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0))); // a window of no bytes
    for (let id = 1; id < 200; id += 2) {
      const asked = head("GET", `/v2/a/blobs/${digest}`);
      socket.write(frame(kind.headers, flag.endStream | flag.endHeaders, id, asked));
    }
  }
  await Promise.all(
    sockets.map((socket) =>
      expect.poll(() => socket.bytesRead, { timeout: 60_000 }).toBeGreaterThan(5_000),
    ),
  );

  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 * 1024 * 1024);
  expect((await askHttp2(session, { ":path": `/v2/a/blobs/${digest}` })).body.equals(blob)).toBe(
    true,
  );
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await askHttp2(session, { ":path": "/v2/" })).status).toBe(200);
  expect(logger.messages("error")).toEqual([]);
});

async function open() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-floods-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  await writeFile(certificate, own.pem.cert);
  await writeFile(key, own.pem.key);
  const logger = new FakeLogger();
  const { address } = await openHere("", `tls: {certificate: ${certificate}, key: ${key}}`, logger);
  return { address, logger };
}

/** A connection that has begun to speak HTTP/2, and does not look at what it is told. */
async function connected(address: string): Promise<TLSSocket> {
  const port = Number(new URL(address).port);
  const socket = connect({ port, ALPNProtocols: ["h2"], ca: own.pem.cert, host: "127.0.0.1" });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  socket.resume();
  socket.write(preface);
  socket.write(frame(kind.settings, 0, 0));
  return socket;
}
