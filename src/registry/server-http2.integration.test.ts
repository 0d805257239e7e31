import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ClientHttp2Stream } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { issue } from "./certificate.fake.ts";
import { openHere } from "./served-registry.fake.ts";
import { askHttp2, openSession } from "./tls-client.fake.ts";

const own = issue();
const large = randomBytes(5 * 1024 * 1024);

it("takes a blob in two requests and gives it back, whole and in part", async () => {
  const { session } = await openHttp2();
  const { headers } = await askHttp2(session, post("/v2/a/blobs/uploads/"));
  const location = new URL(String(headers.location));

  const path = `${location.pathname}${location.search}`;
  const patched = await askHttp2(session, { ":method": "PATCH", ":path": path }, large);
  expect([location.protocol, patched.status]).toEqual(["https:", 202]);
  const put = { ":method": "PUT", ":path": `${path}&digest=${digestOf(large)}` };
  expect((await askHttp2(session, put)).status).toBe(201);

  const blob = `/v2/a/blobs/${digestOf(large)}`;
  const whole = await askHttp2(session, { ":path": blob });
  expect(whole.body.equals(large)).toBe(true);
  const part = await askHttp2(session, { ":path": blob, range: "bytes=10-19" });
  expect([part.status, part.body.equals(large.subarray(10, 20))]).toEqual([206, true]);
  const head = await askHttp2(session, { ":method": "HEAD", ":path": blob });
  expect([head.status, head.headers["content-length"]]).toEqual([200, String(large.length)]);
});

it("takes the last bytes of an upload without being told how many they are", async () => {
  const { session } = await openHttp2();
  const path = `/v2/a/blobs/uploads/?digest=${digestOf(large)}`;

  expect((await askHttp2(session, post(path), large)).status).toBe(201);

  const begun = await askHttp2(session, post("/v2/a/blobs/uploads/"));
  const { pathname, search } = new URL(String(begun.headers.location));
  const put = { ":method": "PUT", ":path": `${pathname}${search}&digest=${digestOf(large)}` };
  expect((await askHttp2(session, put, large)).status).toBe(201);
});

it("asks for a body that a client holds back", async () => {
  const { session } = await openHttp2();
  const path = `/v2/a/blobs/uploads/?digest=${digestOf(large)}`;
  const stream = session.request({ ...post(path), expect: "100-continue" });

  await once(stream, "continue");
  stream.end(large);
  const [headers] = await once(stream, "response");

  expect(headers[":status"]).toBe(201);
});

it.each<[string, (session: Session, stream: ClientHttp2Stream) => void]>([
  ["request", (_session, stream) => stream.destroy(new Error("enough"))],
  ["connection", (session) => session.destroy()],
])("never takes an upload whose %s was broken off for a whole one", async (_what, breakOff) => {
  const { registry, logger, session: uploading } = await openHttp2();
  const session = openSession(registry.address, own.pem.cert);
  const begun = await askHttp2(session, post("/v2/a/blobs/uploads/"));
  const { pathname } = new URL(String(begun.headers.location));
  const half = large.subarray(0, 3 * 1024 * 1024);
  const stream = uploading.request({
    ":method": "PUT",
    ":path": `${pathname}?digest=${digestOf(half)}`,
  });
  stream.on("error", () => {});
  stream.write(half);
  await expect.poll(() => receivedOf(session, pathname)).toBeGreaterThan(1_000_000);

  breakOff(uploading, stream);

  await expect.poll(() => logger.lines.some(({ fields }) => fields.status === 499)).toBe(true);
  const blob = await askHttp2(session, { ":path": `/v2/a/blobs/${digestOf(half)}` });
  expect(blob.status).toBe(404);
  // Taken for a whole one, the bytes would not be the promised ones, and the upload gone.
  expect(await receivedOf(session, pathname)).toBeGreaterThan(1_000_000);
  expect(logger.messages("error")).toEqual([]);
});

it("lets a request end before it closes, and takes no other on that connection", async ({
  signal,
}) => {
  const { session, registry } = await openHttp2();
  const begun = await askHttp2(session, post("/v2/a/blobs/uploads/"));
  const { pathname } = new URL(String(begun.headers.location));
  const stream = session.request({ ":method": "PATCH", ":path": pathname });
  stream.write(large.subarray(0, 1000));
  const another = { ":method": "PATCH", ":path": pathname };
  const isUnderWay = async () =>
    (await askHttp2(session, another, Buffer.from("x"))).status === 409;
  await expect.poll(isUnderWay).toBe(true);
  const goneAway = once(session, "goaway");

  const closing = registry.close({ signal });
  await goneAway;
  stream.end(large.subarray(1000, 2000));
  const [headers] = await once(stream, "response");

  expect([headers[":status"], headers.range]).toEqual([202, "0-1999"]);
  await closing;
});

it("closes although a handshake never ends", async () => {
  const { registry } = await openHttp2();
  const { port } = new URL(registry.address);
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");

  await registry.close({ signal: AbortSignal.timeout(100) });

  if (!socket.closed) await once(socket, "close");
});

async function openHttp2() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-http2-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  await writeFile(certificate, own.pem.cert);
  await writeFile(key, own.pem.key);
  const logger = new FakeLogger();
  const registry = await openHere("", `tls: {certificate: ${certificate}, key: ${key}}`, logger);
  return { registry, logger, session: openSession(registry.address, own.pem.cert) };
}

type Session = ReturnType<typeof openSession>;

/** How many bytes an upload has, by what a client is told. */
async function receivedOf(session: Session, path: string): Promise<number> {
  const { headers } = await askHttp2(session, { ":path": path });
  return 1 + Number(String(headers.range).replace("0-", ""));
}

function post(path: string) {
  return { ":method": "POST", ":path": path };
}
