import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { limitConnections } from "./server-connections.ts";

it("serves who asks while others hold connections and are silent, or wait", async () => {
  const { port, sockets, logger } = await open(10);
  const silent = Array.from({ length: 40 }, () => connect(port, "127.0.0.1"));
  for (const socket of silent) socket.on("error", () => {});
  onTestFinished(() => silent.forEach((socket) => void socket.destroy()));
  await expect.poll(() => sockets.size).toBe(10);

  await expect
    .poll(() => ask(port), { timeout: 20_000 })
    .toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*well$/);

  expect(sockets.size).toBeLessThanOrEqual(10);
  expect(logger.messages("warn")).toEqual(["all connections that there are files for are open"]);
});

it("ends nobody as long as there is room", async () => {
  const { port, sockets, logger } = await open(10);
  const silent = connect(port, "127.0.0.1");
  onTestFinished(() => void silent.destroy());

  for (let turn = 0; turn < 30; turn++) expect(await ask(port)).toContain("200 OK");

  expect(sockets.size).toBeGreaterThanOrEqual(1);
  expect(logger.lines).toEqual([]);
});

async function open(most: number) {
  const server = createServer((_request, response) => response.end("well"));
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const logger = new FakeLogger();
  limitConnections({ server, sockets, most }, { clock: systemClock, logger });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets, logger };
}

/** What a connection of its own is answered; nothing where it is turned away. */
async function ask(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}
