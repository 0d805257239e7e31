import { chmod, link, rename, rm, stat } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { openSocketPath } from "../../base/socket-path.ts";
import type { BackendLoad } from "./data-plane.ts";
import { openHandOn } from "./hand-on.ts";
import { acceptsAnywhere, canListen, connectionLimit } from "./own-host.ts";
import { added, type PortStatistics } from "./port-counts.ts";
import { askProxy, longestLine, type ProxyAnswer, ProxyRequest } from "./proxy-protocol.ts";
import { fingerprintOf, readSettings } from "./proxy-settings.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export const proxySocket = "proxy.sock";

const betweenLooksMs = 1_000;

/**
 * Carries traffic until it is told to end, or nobody needs it any more. It needs no agent: one that
 * dies leaves it as it is, and the next one finds it by its socket.
 *
 * @param announce is called when its socket is there
 */
export async function runProxyProcess(text: string, announce: () => void): Promise<void> {
  const settings = readSettings(text);
  const proxy = new TcpProxy({
    ...settings,
    inherited: new Map(settings.inherited),
    maximumConnections: settings.maximumConnections ?? (await connectionLimit()),
  });
  let { predecessor } = settings;
  /** What it has counted: its end must not take that off ours. */
  let before: readonly PortStatistics[] = [];
  let agents = 0;
  let isRetired = false;
  let lastNeeded = performance.now();
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const control = createServer((socket) => void serve(socket).catch(() => socket.destroy()));
  const place = await listenAt(control, settings.directory);
  const everyMs = Math.min(betweenLooksMs, settings.lonelyMs / 2);
  const looking = setInterval(() => void look(), everyMs);
  announce();
  await ended;
  clearInterval(looking);
  proxy.stopAccepting();
  control.close();
  await place.close();

  async function serve(socket: Socket): Promise<void> {
    socket.on("error", () => {});
    for await (const line of linesOf(socket, longestLine)) {
      const request = v.parse(ProxyRequest, JSON.parse(line));
      socket.write(`${JSON.stringify(await answered(request))}\n`);
      if (request.do === "end") end();
      if (request.do !== "attach") continue;
      agents++;
      socket.once("close", () => agents--);
    }
  }

  async function answered(request: ProxyRequest): Promise<ProxyAnswer> {
    try {
      return await answerTo(request);
    } catch (error) {
      return { error: refusalOf(error) };
    }
  }

  async function answerTo(request: ProxyRequest): Promise<ProxyAnswer> {
    switch (request.do) {
      case "attach":
        return { pid: process.pid, settings: fingerprintOf(settings) };
      case "declare":
        await proxy.declare(request.routes);
        await retirePredecessor();
        return {};
      case "check":
        for (const port of request.ports) if (!proxy.has(port)) await canListen(port);
        return {};
      case "loads":
        return { loads: await allLoads() };
      case "cut":
        return { cut: proxy.cut(request.id) + ((await ofPredecessor(request))?.cut ?? 0) };
      case "statistics":
        await countPredecessor();
        return { statistics: added(proxy.statistics(), before) };
      case "hand on":
        await openHandOn(request, { proxy, own: place.own });
        return {};
      case "retire":
        isRetired = true;
        proxy.stopAccepting();
        return {};
      case "end":
        await ofPredecessor(request);
        return {};
    }
  }

  async function allLoads(): Promise<Record<string, BackendLoad>> {
    const loads = Object.fromEntries(proxy.loads());
    const before = (await ofPredecessor({ do: "loads" }))?.loads ?? {};
    for (const [id, { open, total, failed }] of Object.entries(before)) {
      const mine = loads[id] ?? { open: 0, total: 0, failed: 0 };
      loads[id] = {
        open: mine.open + open,
        total: mine.total + total,
        failed: mine.failed + failed,
      };
    }
    return loads;
  }

  /** Once this process accepts on the sockets itself. */
  async function retirePredecessor(): Promise<void> {
    await ofPredecessor({ do: "retire" });
  }

  /** It is gone when its last connection is. */
  async function ofPredecessor(request: ProxyRequest): Promise<ProxyAnswer | undefined> {
    if (predecessor === undefined) return undefined;
    try {
      return await askProxy(predecessor, request, { signal: AbortSignal.timeout(5_000) });
    } catch {
      predecessor = undefined;
      return undefined;
    }
  }

  async function countPredecessor(): Promise<void> {
    const { statistics } = (await ofPredecessor({ do: "statistics" })) ?? {};
    before = statistics ?? before.map((one) => ({ ...one, active: 0 }));
  }

  async function look(): Promise<void> {
    await countPredecessor();
    // The one before it is reached by way of this one.
    const isBusy = !proxy.isIdle || predecessor !== undefined;
    if (isRetired && !isBusy) return end();
    if (isBusy || agents > 0 || (await acceptsAnywhere(proxy.routes()))) {
      lastNeeded = performance.now();
    }
    if (performance.now() - lastNeeded > settings.lonelyMs) end();
  }
}

function refusalOf(error: unknown): NonNullable<ProxyAnswer["error"]> {
  const { code, port } = error as { code?: string; port?: number };
  if (code === "EADDRINUSE") return { code: "PORT_TAKEN", message: `port ${port} is taken` };
  if (code !== "EACCES") return { code: "REFUSED", message: messageOf(error) };
  return { code: "PORT_FORBIDDEN", message: `this user may not listen on port ${port}` };
}

interface ControlPlace {
  /** Leads to this process alone, where the other name is its successor's. */
  own: string;
  close(): Promise<void>;
}

/** The name that agents know it by comes last, and by a rename: whoever finds it finds somebody. */
async function listenAt(server: Server, directory: string): Promise<ControlPlace> {
  const path = join(directory, proxySocket);
  const own = `${path}.${process.pid}`;
  await rm(own, { force: true });
  const place = await openSocketPath(own);
  if (!place) throw new Error(`${own} is too long for a socket`);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(place.path, resolve);
  });
  await chmod(own, 0o600);
  await rm(`${own}.new`, { force: true });
  await link(own, `${own}.new`);
  await rename(`${own}.new`, path);
  const { ino } = await stat(own);
  return {
    own,
    async close() {
      const there = await stat(path).catch(() => undefined);
      if (there?.ino === ino) await rm(path, { force: true });
      await rm(own, { force: true });
      await place.close();
    },
  };
}
