import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { forwards, isOwnAddress } from "./host-networks.ts";
import { askNft } from "./nft-command.ts";
import { emptyListing, type Listing, type Target } from "./nft-listing.ts";
import { canBeNamed, scriptOf, type TableContent } from "./nft-table.ts";
import { otherTables } from "./nft-tables.ts";
import { canListen } from "./own-host.ts";
import { proxySocket } from "./proxy-process.ts";
import { askProxy, ProxyError } from "./proxy-protocol.ts";

export interface OwnTable {
  name: string;
  /** The app's `.dewy`. */
  directory: string;
}

/** Has the kernel look at all that a table of ours may hold, without taking it. */
export async function checkKernel({ name, directory }: OwnTable, call: Call): Promise<void> {
  const targets = ["one", "other"].map((id) => ({
    ...{ id, port: 1, inner: 1, hosts: ["192.0.2.1", "2001:db8::1"] },
  }));
  const everything: TableContent = {
    ...{ ports: [1], serving: targets, leaving: [], opened: ["eth0"] },
    gone: ["192.0.2.2 1", "2001:db8::2 1"],
    networks: [
      { interface: "eth0", cidr: "192.0.2.0/24" },
      { interface: "eth0", cidr: "2001:db8::/64" },
    ],
  };
  const script = scriptOf({ name: `${name}_check`, directory }, everything, emptyListing);
  await askNft(["--check", "-f", "-"], call, script);
}

/** Nobody else may be on a port that is new to the table: rules would take what is meant for them. */
export async function checkPorts(
  ports: readonly number[],
  { name, directory }: OwnTable,
  now: Listing,
  call: Call,
): Promise<void> {
  const added = ports.filter((port) => !now.ports.has(port));
  if (added.length === 0) return;
  for (const [other, listing] of await otherTables(name, call)) {
    const taken = added.find((port) => listing.ports.has(port));
    if (taken === undefined) continue;
    throw new ProxyError(
      "PORT_TAKEN",
      `port ${taken} is another app's: see nft list table inet ${other}`,
      {
        hint: `name another port, or, when that app is no more: nft delete table inet ${other}`,
      },
    );
  }
  const before = await carriedBefore(directory, call);
  for (const port of added) if (!before.has(port)) await checkPort(port);
}

async function checkPort(port: number): Promise<void> {
  try {
    await canListen(port);
  } catch (cause) {
    if (systemCodeOf(cause) !== "EADDRINUSE") return; // whether it may is nothing to the kernel
    throw new ProxyError("PORT_TAKEN", `port ${port}: somebody else listens there`, {
      cause,
      hint: "stop what listens there, or name another port",
    });
  }
}

/** By the proxy of the same app, until its ports are taken over. */
async function carriedBefore(directory: string, call: Call): Promise<ReadonlySet<number>> {
  try {
    const answer = await askProxy(join(directory, proxySocket), { do: "statistics" }, call);
    const carried = (answer.statistics ?? []).filter(({ backends }) => backends > 0);
    return new Set(carried.map(({ port }) => port));
  } catch (error) {
    if (error instanceof ProxyError && error.code === "NO_PROXY") return new Set();
    throw error;
  }
}

/** @throws {ProxyError} for what the kernel would send into nowhere */
export async function checkTargets(targets: readonly Target[]): Promise<void> {
  for (const { id } of targets) {
    if (!canBeNamed(id)) throw new ProxyError("REFUSED", `nftables cannot name "${id}"`);
  }
  const hosts = targets.flatMap((one) => one.hosts).filter((host) => !isOwnAddress(host));
  for (const family of ["ipv4", "ipv6"] as const) {
    const isNeeded = hosts.some((host) => host.includes(":") === (family === "ipv6"));
    if (!isNeeded || (await forwards(family))) continue;
    const key = family === "ipv4" ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
    throw new ProxyError("REFUSED", `this host passes on no packets of ${family}: ${key} is 0`, {
      hint: `sysctl -w ${key}=1, or use --proxy built-in`,
    });
  }
}
