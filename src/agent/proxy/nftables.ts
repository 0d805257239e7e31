import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { asConfigError, ConfigError, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";
import type { BackendLoad, DataPlane, Route } from "./data-plane.ts";
import { forwards, interfacesTo, isOwnAddress, networksOf } from "./host-networks.ts";
import { closeUnguarded, isWayClosed, noteLeftWays, openWays, ownWays } from "./loopback-ways.ts";
import { checkKernel, checkPorts, checkTargets } from "./nft-checks.ts";
import { askNft } from "./nft-command.ts";
import type { Listing, Target } from "./nft-listing.ts";
import { scriptOf, type TableContent, tableNameOf } from "./nft-table.ts";
import { listingOf, removeTable } from "./nft-tables.ts";
import { isDeclared, loadedTargets, targetsOf } from "./nft-targets.ts";
import { ProxyError } from "./proxy-protocol.ts";
import { endsIn, trackedConnections } from "./tracked-connections.ts";

export interface NftablesOptions {
  /** Private to the agent, and kept from one to the next; the table is named after it. */
  directory: string;
  ports: readonly number[];
}

const betweenLooksMs = 1_000;
const lastLimitMs = 10_000;

/**
 * The kernel carries the traffic: the first packet of a connection is sent to a backend by a table of
 * rules that is the app's alone, and all others follow it. The table is exchanged whole, and needs
 * nobody; what is known of backends is in it, so that the next agent finds it there. Somebody may
 * remove all rules of this host, so that is looked for each second.
 *
 * @throws {ConfigError} when there is no nft, the kernel or our rights do not do, or a port is taken
 */
export async function openNftables(
  { directory, ports }: NftablesOptions,
  { logger, clock }: { logger: Logger; clock: Clock },
  call: Call,
): Promise<DataPlane> {
  const table = { name: tableNameOf(directory), directory };
  const { name } = table;
  const closing = new AbortController();
  const alone = openTurns();
  let routes: readonly Route[] | undefined;
  await checkAll().catch(refuse);
  const looking = look();

  return {
    name: "nftables",
    reach: "routed",

    declare: (next, each) =>
      alone(async () => {
        const led = await ledBy(next);
        await converge(led, each);
        routes = led;
      }),

    async loads(each) {
      const loads = new Map<string, BackendLoad>();
      for (const { id, total, open } of (await loaded(each)).targets) {
        const before = loads.get(id) ?? { open: 0, total: 0 };
        loads.set(id, { open: before.open + open, total: before.total + total, failed: 0 });
      }
      return loads;
    },

    async statistics(each) {
      const { now, targets } = await loaded(each);
      return [...now.totals].map(([port, total]) => {
        const own = targets.filter((one) => one.port === port);
        return {
          ...{ port, total, errors: 0, refused: 0 },
          backends: own.filter(({ isServing }) => isServing).length,
          active: own.reduce((sum, { open }) => sum + open, 0),
        };
      });
    },

    cut: (id, each) => alone(() => cut(id, each)),

    async close({ keep }) {
      closing.abort();
      await looking;
      if (keep) return;
      const last = { signal: AbortSignal.timeout(lastLimitMs) };
      await alone(() => removeTable(directory, last)).catch((error) => {
        logger.error("The table of nftables could not be removed", {
          ...{ table: name, error: messageOf(error) },
        });
      });
    },
  };

  async function checkAll(): Promise<void> {
    await checkKernel(table, call);
    const now = await listingOf(name, call);
    await closeUnguarded(table, now, call);
    await checkPorts(ports, table, now, call);
    await trackedConnections(new Set(ports), call);
  }

  async function loaded(each: Call) {
    const now = await listingOf(name, each);
    const counts = await trackedConnections(now.ports, each);
    return { now, targets: loadedTargets(now, counts), ends: endsIn(counts) };
  }

  async function converge(wanted: readonly Route[], each: Call): Promise<void> {
    const { now, targets, ends } = await loaded(each);
    const serving = wanted.flatMap(targetsOf);
    await checkTargets(serving);
    const wantedPorts = wanted.map(({ port }) => port);
    await checkPorts(wantedPorts, table, now, each);
    const others = targets.filter((one) => !serving.some((each) => isSame(one, each)));
    const leaving = others.filter(({ isServing, open }) => isServing || open > 0);
    for (const end of serving.flatMap(endsOf)) ends.delete(end);
    const left = leaving.map(({ port }) => port);
    const content = {
      ports: [...new Set([...ports, ...wantedPorts, ...left])],
      ...{ serving, leaving, gone: [...now.gone].filter((end) => ends.has(end)) },
    };
    await apply(content, now, each);
  }

  /** The guard of the loopback is there before the way to it is opened. */
  async function apply(
    content: Omit<TableContent, "networks" | "opened">,
    now: Listing,
    each: Call,
  ): Promise<void> {
    const hosts = content.serving.flatMap((one) => one.hosts);
    const networks = networksOf(hosts.filter((host) => !isOwnAddress(host)));
    const interfaces = interfacesTo(hosts);
    const opened = await ownWays(table, interfaces, now, each);
    await askNft(["-f", "-"], each, scriptOf(table, { ...content, networks, opened }, now));
    await openWays(interfaces);
  }

  async function cut(id: string, each: Call): Promise<number> {
    const { now, targets } = await loaded(each);
    const own = targets.filter((one) => one.id === id);
    const serving = new Set(targets.filter((one) => one.isServing).flatMap(endsOf));
    const ends = own.flatMap(endsOf).filter((end) => !serving.has(end) && !now.gone.has(end));
    if (ends.length > 0) {
      const content = {
        ...{ ports: [...now.ports], gone: [...now.gone, ...ends] },
        serving: targets.filter(({ isServing }) => isServing),
        leaving: targets.filter(({ isServing }) => !isServing),
      };
      await apply(content, now, each);
    }
    return own.reduce((sum, { open }) => sum + open, 0);
  }

  async function look(): Promise<void> {
    let isTroubled = false;
    while (!closing.signal.aborted) {
      try {
        await clock.sleep(betweenLooksMs, closing);
        await alone(putBack);
        if (isTroubled) logger.info("The table of nftables is as it should be again");
        isTroubled = false;
      } catch (error) {
        if (isEchoOf(closing.signal, error)) return;
        logger[isTroubled ? "debug" : "error"]("The table of nftables cannot be seen to", {
          ...{ table: name, error },
        });
        isTroubled = true;
      }
    }
  }

  async function putBack(): Promise<void> {
    if (!routes) return;
    const about = { table: name };
    const hosts = routes.flatMap(targetsOf).flatMap((one) => one.hosts);
    const now = await listingOf(name, closing);
    await noteLeftWays(table, now);
    if (!isDeclared(routes, now)) {
      logger.warn("Somebody has changed the table of nftables, and it is put back", about);
    } else if (await isWayClosed(interfacesTo(hosts))) {
      logger.warn("Somebody has closed the way to the loopback, and it is opened again", about);
    } else return;
    await converge(routes, closing);
  }
}

const isSame = (a: Target, b: Target) => a.id === b.id && a.port === b.port;
const endsOf = ({ hosts, inner }: Target) => hosts.map((host) => `${host} ${inner}`);

/** `routes`, by IPv6 too where this host passes that on. */
async function ledBy(routes: readonly Route[]): Promise<readonly Route[]> {
  if (await forwards("ipv6")) return routes;
  return routes.map(({ port, backends }) => ({
    port,
    backends: backends.map((backend) => ({ ...backend, otherHost: undefined })),
  }));
}

function refuse(error: unknown): never {
  if (!(error instanceof ProxyError)) throw error;
  if (error.code === "PORT_TAKEN") throw asConfigError(error);
  throw new ConfigError(`--proxy nftables: ${messageOf(error)}`, {
    ...{ cause: error, hint: error.hint },
  });
}
