import { onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import type { Backend } from "./data-plane.ts";
import { TcpProxy, type TcpProxyOptions } from "./tcp-proxy.ts";

/** One of this test, on a port of its own. */
export async function proxied(
  backends: readonly Backend[],
  options: Partial<TcpProxyOptions> = {},
) {
  const own = { idleMs: 0, proxyProtocol: false, maximumConnections: 100, ...options };
  const proxy = new TcpProxy(own);
  const port = await freePort();
  onTestFinished(() => {
    for (const { id } of backends) proxy.cut(id);
    proxy.stopAccepting();
  });
  await proxy.declare([{ port, backends }]);
  return { proxy, port };
}
