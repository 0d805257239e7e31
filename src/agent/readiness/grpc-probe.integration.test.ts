import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { askByGrpc } from "./grpc-probe.ts";

const method = "/grpc.health.v1.Health/Check";

it("finds a server of gRPC well that says it is SERVING", async ({ signal }) => {
  const { socket, paths } = await connectedTo((stream) => answered(stream, [0x08, 1]));

  await askByGrpc(socket, { signal });

  expect(paths).toEqual(["/grpc.health.v1.Health/Check"]);
  expect(socket.destroyed).toBe(true);
});

it.each([
  ["NOT_SERVING", [0x08, 2]],
  ["SERVICE_UNKNOWN", [0x08, 3]],
  ["UNKNOWN", []],
  ["what is no word about its health", [0x0a, 1]],
  ["what is no word about its health", [0x08, 9]],
])("finds one unwell that answers %s", async (said, message) => {
  const { socket } = await connectedTo((stream) => answered(stream, message));

  await expect(askByGrpc(socket, new AbortController())).rejects.toMatchObject({
    ...{ code: "WRONG_ANSWER", message: `${method} answered ${said}, not SERVING` },
  });
});

it("says what a server fails with, as one without the service does", async ({ signal }) => {
  const { socket } = await connectedTo((stream) =>
    stream.respond({ "grpc-status": "12", "grpc-message": "no such service" }, { endStream: true }),
  );

  await expect(askByGrpc(socket, { signal })).rejects.toMatchObject({
    ...{ code: "WRONG_ANSWER", message: `${method} failed with gRPC 12: no such service` },
  });
});

it("says that nothing speaks gRPC there", async ({ signal }) => {
  const server = createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");

  await expect(askByGrpc(socket, { signal })).rejects.toMatchObject({
    ...{ code: "NO_ANSWER", message: `${method}: Protocol error` },
  });
});

it("ends with the call when nothing is answered", async () => {
  const stop = new AbortController();
  const { socket } = await connectedTo(() => stop.abort());

  await expect(askByGrpc(socket, stop)).rejects.toMatchObject({ name: "ProbeError" });
  expect(socket.destroyed).toBe(true);
});

function answered(stream: ServerHttp2Stream, message: readonly number[]): void {
  stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
}

async function connectedTo(answer: (stream: ServerHttp2Stream) => void) {
  const paths: unknown[] = [];
  const server = createServer().on("stream", (stream, headers) => {
    stream.on("error", () => {});
    paths.push(headers[":path"]);
    answer(stream);
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  return { socket, paths };
}
