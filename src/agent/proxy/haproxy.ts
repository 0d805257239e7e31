import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";
import type { Backend, BackendLoad, DataPlane, Route } from "./data-plane.ts";
import { askHaproxy, type StatRow, statOf } from "./haproxy-socket.ts";
import type { PortStatistics } from "./port-counts.ts";
import { ProxyError } from "./proxy-protocol.ts";

export interface HaproxyOptions {
  /** Of the runtime API; level admin. */
  socket: string;
  ports: readonly number[];
}

/** Of servers: others are the user's own, and left alone. */
const prefix = "dewy-";
const proxyOf = (port: number) => `dewy_${port}`;
const serverOf = (id: string) => `${prefix}${id}`;
const [backendRow, serverRow, frontendRow] = ["1", "2", "0"];
const betweenLooksMs = 1_000;
const cutLimitMs = 2_000;

/**
 * A HAProxy that somebody else runs: each port is the proxy `dewy_PORT` of its configuration, and its
 * servers come and go by the runtime API. It forgets them when it is started anew, so that is looked
 * for each second.
 *
 * @throws {ConfigError} when it does not answer, does not let us, or lacks a proxy
 */
export async function openHaproxy(
  { socket, ports }: HaproxyOptions,
  { logger, clock }: { logger: Logger; clock: Clock },
  call: Call,
): Promise<DataPlane> {
  const closing = new AbortController();
  const alone = openTurns();
  let routes: readonly Route[] | undefined;
  await checkHaproxy({ socket, ports }, call);
  const looking = look();

  return {
    name: "haproxy",
    reach: "published",

    declare: (next, each) =>
      alone(async () => {
        await converge(next, each);
        routes = next;
      }),

    async loads(each) {
      const loads = new Map<string, BackendLoad>();
      for (const { row, id } of await ownServers(each)) {
        const { open, total, failed } = loads.get(id) ?? { open: 0, total: 0, failed: 0 };
        loads.set(id, {
          open: open + Number(row.scur),
          total: total + Number(row.stot),
          failed: failed + Number(row.econ) + Number(row.eresp),
        });
      }
      return loads;
    },

    statistics: async (each) =>
      (await Promise.all(ports.map((port) => statisticsOf(port, each)))).flat(),

    cut: (id, each) => cut((one) => one === id, each),

    async close({ keep }) {
      closing.abort();
      await looking;
      if (keep) return;
      const last = { signal: AbortSignal.timeout(cutLimitMs * 2) };
      await alone(async () => {
        const empty = ports.map((port) => ({ port, backends: [] }));
        await converge(empty, last);
        await cut(() => true, last);
        await converge(empty, last);
      }).catch((error) => {
        logger.error("HAProxy could not be told to let go", { error: messageOf(error) });
      });
    },
  };

  async function say(command: string, each: Call, expected = /^$/): Promise<void> {
    const answer = await askHaproxy(socket, command, each);
    if (!expected.test(answer)) {
      throw new ProxyError("REFUSED", `HAProxy does not "${command}": ${answer}`);
    }
  }

  async function rowsOf(port: number, each: Call): Promise<StatRow[]> {
    const rows = await statOf(socket, proxyOf(port), each);
    if (rows) return rows;
    throw new ProxyError("REFUSED", `HAProxy has no proxy ${proxyOf(port)} any more`);
  }

  async function ownServers(each: Call) {
    const all = await Promise.all(
      ports.map(async (port) => (await rowsOf(port, each)).map((row) => ({ port, row }))),
    );
    return all.flat().flatMap(({ port, row }) => {
      const { svname = "", type } = row;
      if (type !== serverRow || !svname.startsWith(prefix)) return [];
      return [{ port, row, id: svname.slice(prefix.length), name: `${proxyOf(port)}/${svname}` }];
    });
  }

  /** New ones first: there is always somebody to go to. */
  async function converge(wanted: readonly Route[], each: Call): Promise<void> {
    const servers = await ownServers(each);
    for (const { port, backends } of wanted) {
      for (const backend of backends) {
        const there = servers.find((one) => one.port === port && one.id === backend.id);
        await admit(port, backend, there?.row, each);
      }
      await listen(port, backends.length > 0, each);
    }
    for (const { port, id, row, name } of servers) {
      const route = wanted.find((one) => one.port === port);
      if (route?.backends.some((backend) => backend.id === id)) continue;
      await withdraw(name, row, each);
    }
  }

  async function admit(
    port: number,
    { id, host, port: inner }: Backend,
    row: StatRow | undefined,
    each: Call,
  ) {
    const name = `${proxyOf(port)}/${serverOf(id)}`;
    const address = `${host.includes(":") ? `[${host}]` : host}:${inner}`;
    if (!row) await say(`add server ${name} ${address}`, each, /registered/);
    else if (row.addr !== address) {
      await say(`set server ${name} addr ${host} port ${inner}`, each, /^(?!.*(error|invalid))/i);
    }
    if (!row || !/^(UP|no check)/.test(row.status ?? "")) {
      await say(`set server ${name} state ready`, each);
    }
  }

  /** What it has goes on; a server without a connection is forgotten. */
  async function withdraw(name: string, row: StatRow, each: Call): Promise<void> {
    if (!/^(DRAIN|MAINT)/.test(row.status ?? "")) await say(`set server ${name} state drain`, each);
    if (row.scur !== "0") return;
    await say(`set server ${name} state maint`, each);
    await say(`del server ${name}`, each, /deleted|still has connections/i);
  }

  /** Where the frontend is not called as the backend, HAProxy listens all the time. */
  async function listen(port: number, wanted: boolean, each: Call): Promise<void> {
    const row = (await rowsOf(port, each)).find(({ type }) => type === frontendRow);
    if (!row || (row.status === "OPEN") === wanted) return;
    await say(`${wanted ? "enable" : "disable"} frontend ${proxyOf(port)}`, each);
  }

  async function cut(isMeant: (id: string) => boolean, each: Call): Promise<number> {
    const meant = (await ownServers(each)).filter(({ id }) => isMeant(id));
    for (const { name } of meant) await say(`shutdown sessions server ${name}`, each);
    const until = performance.now() + cutLimitMs;
    const areOpen = async () =>
      (await ownServers(each)).some(({ id, row }) => isMeant(id) && row.scur !== "0");
    while (performance.now() < until && (await areOpen())) await clock.sleep(20, each);
    return meant.reduce((sum, { row }) => sum + Number(row.scur), 0);
  }

  async function statisticsOf(port: number, each: Call): Promise<PortStatistics[]> {
    const rows = await rowsOf(port, each);
    const own = rows.filter(({ svname = "" }) => svname.startsWith(prefix));
    return rows
      .filter(({ type }) => type === backendRow)
      .map((row) => ({
        port,
        backends: own.filter(({ status = "" }) => /^(UP|no check)/.test(status)).length,
        active: Number(row.scur),
        total: Number(row.stot),
        errors: Number(row.econ) + Number(row.eresp),
        refused: 0,
        bytes: Number(row.bin) + Number(row.bout),
      }));
  }

  async function look(): Promise<void> {
    let isTroubled = false;
    while (!closing.signal.aborted) {
      try {
        await clock.sleep(betweenLooksMs, closing);
        await alone(async () => routes && (await converge(routes, closing)));
        if (isTroubled) logger.info("HAProxy answers again");
        isTroubled = false;
      } catch (error) {
        if (isEchoOf(closing.signal, error)) return;
        logger[isTroubled ? "debug" : "error"]("HAProxy cannot be told", { error });
        isTroubled = true;
      }
    }
  }
}

async function checkHaproxy({ socket, ports }: HaproxyOptions, call: Call): Promise<void> {
  const level = await askHaproxy(socket, "show cli level", call).catch((error) => {
    if (!(error instanceof ProxyError)) throw error;
    throw new ConfigError(`--proxy-socket: ${messageOf(error)}`, {
      cause: error,
      hint: `see that HAProxy runs, with "stats socket ${socket} level admin" in its global section`,
    });
  });
  if (level !== "admin") {
    throw new ConfigError(`--proxy-socket ${socket}: HAProxy lets it do "${level}" only`, {
      hint: `write "stats socket ${socket} level admin"`,
    });
  }
  for (const port of ports) {
    if (await statOf(socket, proxyOf(port), call)) continue;
    throw new ConfigError(`--port ${port}: HAProxy has no proxy ${proxyOf(port)}`, {
      hint: `add to its configuration: listen ${proxyOf(port)}, with bind :::${port} v4v6`,
    });
  }
}
