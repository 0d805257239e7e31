import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import type { Backend } from "./data-plane.ts";

let count = 0;

/** A server of this test, that answers each connection so. */
export async function serve(answer: (socket: Socket) => void): Promise<Backend> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    answer(socket);
  });
  server.listen(0, "::");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { id: `backend-${count++}`, host: "127.0.0.1", port: portOf(server) };
}

/** One that says its name when a client ends its own direction, and nothing before. */
export const named = (name: string) =>
  serve((socket) => void socket.resume().on("end", () => socket.end(name)));

/** One that says what it hears. */
export const echo = () => serve((socket) => void socket.pipe(socket));

export async function deadBackend(): Promise<Backend> {
  return { id: `backend-${count++}`, host: "127.0.0.1", port: await freePort() };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export async function open(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

/**
 * Says `text`, ends its own direction, and resolves to all that is answered. Not without a text: HAProxy
 * gives up who has ended, and said nothing, before it is connected to a server.
 */
export async function ask(port: number, text = "?", host = "127.0.0.1"): Promise<string> {
  const socket = connect({ port, host, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}

/** What a connection to an echo hears of `text`. */
export async function heard(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = await once(socket, "data");
  return String(chunk);
}

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    socket.resume().once("close", () => resolve());
  });
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
