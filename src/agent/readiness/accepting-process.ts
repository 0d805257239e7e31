import { readdir, readFile, readlink } from "node:fs/promises";
import { systemCodeOf } from "../../base/errors.ts";

export interface Connection {
  port: number;
  clientPort: number;
}

/**
 * Who has taken a connection to one of this host's ports: `waiting` while it is in the kernel's queue,
 * `unknown` where the system does not say.
 */
export type Acceptance = "waiting" | "new" | "old" | "unknown";

/**
 * The kernel completes a connection before anybody accepts it, and generations share one queue: only
 * the inode of the server's end tells whether it was accepted (before, it is 0), and by whom.
 */
export async function acceptanceOf(
  connection: Connection,
  { pid, rivalPid }: { pid: number; rivalPid?: number | undefined },
): Promise<Acceptance> {
  if (process.platform !== "linux") return "unknown";
  const inode = await inodeOf(connection);
  if (inode === undefined) return "unknown";
  if (inode === "0") return "waiting";
  const name = `socket:[${inode}]`;
  if (rivalPid === undefined || (await sessionHolds(pid, name))) return "new";
  return (await sessionHolds(rivalPid, name)) ? "old" : "unknown";
}

/** Of the server's end; `undefined` when the connection has ended or cannot be seen. */
async function inodeOf({ port, clientPort }: Connection): Promise<string | undefined> {
  const [local, remote] = [port, clientPort].map(hexadecimal);
  const ends = loopback.map((address) => `${address}:${remote}`);
  for (const table of ["/proc/net/tcp6", "/proc/net/tcp"]) {
    for (const line of (await textOf(table)).split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (!fields[1]?.endsWith(`:${local}`)) continue;
      if (!ends.some((end) => fields[2]?.endsWith(end))) continue;
      return fields[9];
    }
  }
  return undefined;
}

/** 127.0.0.1 in the byte order of the processor, alone or mapped into IPv6. */
const loopback = ["0100007F", "7F000001"];

const hexadecimal = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");

/** Whether a process of the session that `leader` leads has the file `name` open. */
async function sessionHolds(leader: number, name: string): Promise<boolean> {
  for (const pid of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await textOf(`/proc/${pid}/stat`);
    // proc(5): state, parent, group and session follow the name, which may hold spaces.
    const [, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(session) === leader && (await holds(pid, name))) return true;
  }
  return false;
}

async function holds(pid: string, name: string): Promise<boolean> {
  try {
    for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (target === name) return true;
    }
    return false;
  } catch (error) {
    // It has ended, or runs as another user, whose files nobody but root may see.
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(systemCodeOf(error) ?? "")) return false;
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return ""; // it has ended, or the system has no such table
  }
}
