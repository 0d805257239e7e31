import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Call, withTimeout } from "../../base/call.ts";
import { SupervisorError } from "./supervisor-error.ts";

/** A socket that listens, and that nobody in this process accepts on. */
export interface ListeningSocket {
  readonly port: number;
  readonly fd: number;
  close(): void;
}

const limitMs = 10_000;

/** Linux's own ceiling since 5.4; a lower `net.core.somaxconn` bounds it silently. */
const backlog = 4096;

/** IPv4 comes with `::`; alone it is for hosts that have no IPv6. */
const everyAddress = ["::", "0.0.0.0"];

/**
 * Runs in a process of its own, because a process that listens also accepts: libuv begins to poll in
 * `listen`, and there is no way to make it stop. So this one listens, sends the socket away before
 * its event loop turns again, and then blocks until it is killed. It blocks in reading from its parent,
 * so that it does not keep the port when that one is killed first.
 */
const program = `
  const { createServer } = require("node:net");
  const { readSync } = require("node:fs");
  const [port, backlog, ...hosts] = process.argv.slice(1);
  const noSuchFamily = ["EAFNOSUPPORT", "EPROTONOSUPPORT", "EADDRNOTAVAIL"];
  process.on("disconnect", () => process.exit());
  listen(hosts);

  function listen([host, ...others]) {
    const server = createServer();
    server.on("error", ({ code, message }) => {
      if (others.length > 0 && noSuchFamily.includes(code)) return listen(others);
      process.send({ code, message });
    });
    server.listen({ port: Number(port), host, backlog: Number(backlog) }, () => {
      process.send({ port: server.address().port }, server._handle);
      readSync(0, Buffer.alloc(1));
      process.exit();
    });
  }
`;

/**
 * Opens a socket that listens on `port` of the first of `hosts` whose address family exists here.
 * Port 0 takes a free one.
 *
 * @throws {SupervisorError} `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED`
 */
export async function openListeningSocket(
  port: number,
  call: Call,
  hosts: readonly string[] = everyAddress,
): Promise<ListeningSocket> {
  return withTimeout(`listening on port ${port}`, limitMs, call, async (limited) => {
    limited.signal.throwIfAborted();
    const values = [port, backlog].map(String);
    const opener = spawn(
      process.execPath,
      ["--input-type=commonjs", "-e", program, ...values, ...hosts],
      { env: {}, stdio: ["pipe", "ignore", "inherit", "ipc"] },
    );
    try {
      return socketOf(port, await answerOf(opener, port, limited));
    } finally {
      await endAtOnce(opener);
    }
  });
}

/** Node's TCP wrap as it travels between processes: undocumented, and the same from 20 to 26. */
export interface RawHandle {
  readonly fd: number;
  setBlocking(blocking: boolean): number;
  close(): void;
}

interface Answer {
  message: unknown;
  handle: unknown;
}

function answerOf(opener: ChildProcess, port: number, { signal }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(errorFor(port, "", reason));
    const giveUp = () => {
      opener.on("message", (_message, handle: unknown) => isRawHandle(handle) && handle.close());
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    opener.once("message", (message: unknown, handle: unknown) => {
      signal.removeEventListener("abort", giveUp);
      resolve({ message, handle });
    });
    opener.once("error", (error) => fail(error.message));
    opener.once("exit", (status, killer) => {
      signal.removeEventListener("abort", giveUp);
      fail(`the process that opens it ended with ${status ?? killer}`);
    });
  });
}

function socketOf(asked: number, { message, handle }: Answer): ListeningSocket {
  const { port = asked, code, message: reason } = message as Record<string, string | number>;
  if (!isRawHandle(handle)) throw errorFor(asked, String(code), String(reason));
  // O_NONBLOCK belongs to the socket, not to the process: libuv has set it, and a worker that expects
  // to block in accept(2) would fail with EAGAIN. Cleared here and never again, because clearing it
  // under a running worker that polls would make that one block.
  handle.setBlocking(true);
  return { port: Number(port), fd: handle.fd, close: () => handle.close() };
}

function errorFor(port: number, code: string, reason: string): SupervisorError {
  if (code === "EADDRINUSE") {
    return new SupervisorError("PORT_IN_USE", `port ${port} is in use by another process`, {
      hint: `see who listens there with: ss -ltnp 'sport = :${port}'`,
    });
  }
  if (code === "EACCES") {
    return new SupervisorError("PORT_FORBIDDEN", `port ${port} may not be opened by this user`, {
      hint: "ports below 1024 need privileges: give CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or lower net.ipv4.ip_unprivileged_port_start",
    });
  }
  return new SupervisorError("LISTEN_FAILED", `cannot listen on port ${port}: ${reason}`);
}

export function isRawHandle(value: unknown): value is RawHandle {
  return (
    typeof value === "object" &&
    value !== null &&
    "setBlocking" in value &&
    "fd" in value &&
    typeof value.fd === "number" &&
    value.fd >= 0
  );
}

/** Kills it, and resolves when it has ended. */
export async function endAtOnce(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.ref(); // else nothing may keep this process alive for as long as that takes
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
