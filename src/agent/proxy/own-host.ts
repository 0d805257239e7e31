import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Backend, Route } from "./data-plane.ts";

/** For files, libraries, engines and the listening sockets themselves. */
const reservedDescriptors = 64;
const descriptorsOfOne = 2;
const withoutLimits = 10_000;
const connectLimitMs = 500;

/** How many connections this process may carry, two descriptors each. */
export async function connectionLimit(): Promise<number> {
  const text = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const [, limit] = /^Max open files\s+(\d+)/m.exec(text) ?? [];
  if (limit === undefined) return withoutLimits;
  return Math.max(1, Math.floor((Number(limit) - reservedDescriptors) / descriptorsOfOne));
}

/** @throws the system's error when nobody can listen on `port` */
export async function canListen(port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen({ port, host: "::", exclusive: true });
    await once(server, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Whether any backend still accepts connections. */
export async function acceptsAnywhere(routes: readonly Route[]): Promise<boolean> {
  const asked = routes.flatMap(({ backends }) => backends.map(accepts));
  return (await Promise.all(asked)).includes(true);
}

async function accepts({ host, port }: Backend): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(connectLimitMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
