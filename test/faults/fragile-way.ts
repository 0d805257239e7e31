import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A way to a server that can break off amid an answer, as if the server were gone. */
export async function openFragileWay(to: string) {
  const { hostname, port } = new URL(to);
  const open = new Set<Socket>();
  let leftBytes = Number.POSITIVE_INFINITY;
  const server = createServer((client) => {
    if (leftBytes <= 0) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => open.delete(one) && other.destroy());
    }
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      leftBytes -= bytes.length;
      if (leftBytes > 0) client.write(bytes);
      else for (const each of open) each.destroy();
    });
    upstream.on("end", () => client.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    for (const each of open) each.destroy();
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    isBroken: () => leftBytes <= 0,
    breakAfter(bytes: number): void {
      leftBytes = bytes;
    },
    mend(): void {
      leftBytes = Number.POSITIVE_INFINITY;
    },
  };
}
