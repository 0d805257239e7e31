import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { mostConnections } from "../../src/base/open-files.ts";
import { pushImage } from "../../src/registry/served-registry.fake.ts";
import { temporaryDirectory } from "../external/program.ts";
import { serveRegistry } from "../external/served-registry.ts";

/** Ten thousand, where this process and the other may have as many files open. */
const many = Math.min(10_000, (mostConnections() ?? 10_000) - 500);
const atOnce = 100;

it("takes pushes and serves pulls while thousands of connections wait", async () => {
  const directory = await temporaryDirectory("registry");
  const http = 'http: {addr: "127.0.0.1:0", timeouts: {idle: 1h}}';
  const { address } = await serveRegistry(directory, "{}", http);
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  const push = async (tag: string) => {
    const { bytes } = await pushImage(address, "app", tag);
    const answer = await fetch(`${address}/v2/app/manifests/${tag}`);
    expect(await answer.text()).toBe(bytes);
  };

  while (sockets.length < many) {
    const opened = Array.from({ length: atOnce }, () => openIdle(address));
    const tag = `v${sockets.length}`;
    sockets.push(...(await Promise.all(opened)));
    await push(tag);
  }
  for (let turn = 0; turn < 10; turn++) await push(`last-${turn}`);

  expect(sockets.filter(({ readyState }) => readyState !== "open")).toEqual([]);
  const answers = sockets.slice(0, atOnce).map(ask);
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["HTTP/1.1 200 OK"]));
});

async function openIdle(address: string): Promise<Socket> {
  const socket = connect(Number(new URL(address).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {}); // told by its state
  await ask(socket);
  return socket;
}

/** One more request on the connection; resolves to how the answer begins. */
async function ask(socket: Socket): Promise<string> {
  socket.write("HEAD /v2/ HTTP/1.1\r\nHost: a\r\n\r\n");
  const [chunk] = await once(socket, "data");
  return `${chunk}`.split("\r\n")[0] ?? "";
}
