import { lstat, rm } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { DewyError, systemCodeOf } from "../base/errors.ts";
import type { Http } from "./config-http.ts";

/** What the configuration says cannot be served with. */
export class RegistryError extends DewyError<"CANNOT_LISTEN" | "INVALID_CERTIFICATE"> {}

/** `sun_path` on macOS; Linux has four bytes more. */
const longestSocketPath = 103;

/** Listens where the configuration says, and resolves to the address a client would use. */
export async function listen(
  server: Server,
  { addr, net, tls }: Pick<Http, "addr" | "net" | "tls">,
): Promise<string> {
  if (net === "unix") checkSocketPath(addr);
  const where = net === "unix" ? { path: addr } : hostAndPort(addr);
  try {
    if (net === "unix") await removeAbandoned(addr);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(where, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw cannotListen({ addr, net }, error);
  }
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${addr}`;
  const host = ["::", "0.0.0.0"].includes(address.address) ? "127.0.0.1" : address.address;
  const scheme = tls === undefined ? "http" : "https";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

/** Node binds what is left of a longer path once the system's limit has cut it off. */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= longestSocketPath) return;
  throw new RegistryError(
    "CANNOT_LISTEN",
    `the address ${path} is longer than the ${longestSocketPath} bytes a socket's path may have`,
    { hint: hintFor("unix", undefined) },
  );
}

/**
 * A killed process leaves its socket behind; where nobody answers any more, it is in the way.
 * Anything that is not a socket refuses connections as well, and is not ours to remove.
 */
async function removeAbandoned(path: string): Promise<void> {
  if (!(await isSocket(path))) return;
  const failure = await new Promise<unknown>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", resolve);
  });
  if (systemCodeOf(failure) === "ECONNREFUSED") await rm(path);
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function hostAndPort(addr: string): { host?: string; port: number } {
  const colon = addr.lastIndexOf(":");
  const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(addr.slice(colon + 1));
  return host === "" ? { port } : { host, port };
}

function cannotListen({ addr, net }: Pick<Http, "addr" | "net">, error: unknown): RegistryError {
  const code = systemCodeOf(error);
  const why = code === "EADDRINUSE" ? "is taken" : `cannot be listened on: ${code}`;
  return new RegistryError("CANNOT_LISTEN", `the address ${addr} ${why}`, {
    cause: error,
    hint: hintFor(net, code),
  });
}

function hintFor(net: "tcp" | "unix", code: string | undefined): string {
  if (net === "unix") return "set http.addr to a path where nothing is yet, in a directory that is";
  if (code === "EADDRINUSE") {
    return "stop the program that listens there, or set http.addr to another address";
  }
  return "set http.addr to an address of this machine, such as 127.0.0.1:5000";
}
