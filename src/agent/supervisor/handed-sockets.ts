import { closeSync, readFileSync, readlinkSync } from "node:fs";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import type { ListeningSocket } from "./listening-socket.ts";

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstFd = 3;

/** TCP_LISTEN, as the tables below /proc/net write a socket's state. */
const listening = "0A";

/**
 * The listening sockets that this process was started with, as sd_listen_fds(3) tells of them: from a
 * socket unit of systemd, or whoever speaks like it. They outlive this process, so who connects while
 * one agent follows another waits in the kernel, and is not refused.
 *
 * @throws {ConfigError} for a descriptor that is no listening TCP socket, or a port that comes twice
 */
export function handedSockets(environment: Environment, pid: number): readonly ListeningSocket[] {
  const { LISTEN_PID, LISTEN_FDS = "0", LISTEN_FDNAMES = "" } = environment;
  const count = Number(LISTEN_FDS);
  if (LISTEN_PID !== String(pid) || !Number.isSafeInteger(count) || count < 1) return [];
  const names = LISTEN_FDNAMES.split(":");
  const ports = listeningPorts();
  const sockets: ListeningSocket[] = [];
  for (let index = 0; index < count; index++) {
    const fd = firstFd + index;
    const port = ports.get(inodeOf(fd));
    if (port === undefined) throw refused(fd, names[index]);
    if (sockets.some((socket) => socket.port === port)) throw twice(port);
    sockets.push({ port, fd, close: () => closeSync(fd) });
  }
  return sockets;
}

/** The port of each listening TCP socket of this network namespace, by its inode: see proc(5). */
function listeningPorts(): ReadonlyMap<string, number> {
  const lines = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].flatMap((table) =>
    textOf(table).split("\n").slice(1),
  );
  const ports = new Map<string, number>();
  for (const line of lines) {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    if (state === listening) ports.set(inode, Number.parseInt(local.split(":")[1] ?? "", 16));
  }
  return ports;
}

/** Empty where the system has no such table, as without IPv6. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function inodeOf(fd: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? "";
  } catch {
    return "";
  }
}

function refused(fd: number, name: string | undefined): ConfigError {
  return new ConfigError(
    `LISTEN_FDS: descriptor ${fd}${name ? ` (${name})` : ""} is no listening TCP socket`,
    { hint: "write ListenStream=PORT in the socket unit, and nothing else that it hands over" },
  );
}

function twice(port: number): ConfigError {
  return new ConfigError(`LISTEN_FDS: port ${port} is handed over twice`, {
    hint: "write one ListenStream= for each port: with BindIPv6Only=both it takes IPv4 as well",
  });
}
