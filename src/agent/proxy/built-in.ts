import { connect, createServer, type Server, type Socket } from "node:net";
import type { Backend, BackendLoad, DataPlane, Route } from "./data-plane.ts";
import type { DataPlaneOptions } from "./index.ts";

/** PROVISIONAL: in this process. */
export async function openBuiltIn({ proxyIdleMs }: DataPlaneOptions): Promise<DataPlane> {
  const servers = new Map<number, Server>();
  const routes = new Map<number, readonly Backend[]>();
  const loads = new Map<string, BackendLoad>();
  const sockets = new Map<string, Set<Socket>>();
  return {
    name: "built-in",
    reach: "published",
    async declare(next: readonly Route[]) {
      for (const { port, backends } of next) {
        routes.set(port, backends);
        if (servers.has(port)) continue;
        const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
          serve(client, port),
        );
        await new Promise<void>((resolve, reject) => {
          server.once("error", reject);
          server.listen({ port, host: "::", backlog: 4096 }, resolve);
        });
        servers.set(port, server);
      }
    },
    loads: async () => new Map(loads),
    async cut(id) {
      const open = [...(sockets.get(id) ?? [])];
      for (const socket of open) socket.destroy();
      return open.length;
    },
    async close() {
      for (const server of servers.values()) server.close();
    },
  };

  function serve(client: Socket, port: number): void {
    const least = [...(routes.get(port) ?? [])].sort(
      (a, b) => (loads.get(a.id)?.open ?? 0) - (loads.get(b.id)?.open ?? 0),
    );
    client.on("error", () => {});
    attempt(client, least);
  }

  function attempt(client: Socket, [backend, ...others]: readonly Backend[]): void {
    if (!backend) return void client.destroy();
    const load = loads.get(backend.id) ?? { open: 0, total: 0, failed: 0 };
    loads.set(backend.id, load);
    load.open++;
    load.total++;
    const upstream = connect({
      host: backend.host,
      port: backend.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    const open = sockets.get(backend.id) ?? new Set<Socket>();
    sockets.set(backend.id, open.add(upstream));
    let isConnected = false;
    upstream.once("connect", () => {
      isConnected = true;
      client.pipe(upstream);
      upstream.pipe(client);
      client.once("close", () => upstream.destroy());
    });
    upstream.on("error", () => {
      load.failed++;
      if (!isConnected) attempt(client, others);
      else client.destroy();
    });
    upstream.once("close", () => {
      load.open--;
      open.delete(upstream);
      if (isConnected) client.end();
    });
    if (proxyIdleMs > 0) upstream.setTimeout(proxyIdleMs, () => upstream.destroy());
  }
}
