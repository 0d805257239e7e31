import { readFile, writeFile } from "node:fs/promises";
import { BlockList, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { systemCodeOf } from "../../base/errors.ts";

/** A network that this host is in. */
export interface HostNetwork {
  interface: string;
  cidr: string;
}

/** Those that any of `hosts` are in. */
export function networksOf(hosts: readonly string[]): HostNetwork[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr, internal }) =>
      cidr && !internal && hosts.some((host) => isIn(host, cidr)) ? { interface: name, cidr } : [],
    ),
  );
}

/** Interfaces by which `hosts` are reached that are not this host itself. */
export function interfacesTo(hosts: readonly string[]): string[] {
  const networks = networksOf(hosts.filter((host) => !isOwnAddress(host)));
  return [...new Set(networks.map((one) => one.interface))];
}

/** Whether `host` is this host itself. */
export function isOwnAddress(host: string): boolean {
  if (isIn(host, "127.0.0.0/8")) return true;
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return all.some(({ address }) => address === host);
}

function isIn(host: string, cidr: string): boolean {
  const [network = "", length] = cidr.split("/");
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  if (isIPv6(host) !== isIPv6(network)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return list.check(host, family);
}

/** Whether this host passes on what is for others. */
export async function forwards(family: "ipv4" | "ipv6"): Promise<boolean> {
  const name = family === "ipv4" ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding";
  return (await setting(name)) !== "0";
}

/** Lets what comes by `name` reach the loopback's addresses, or not; nothing where there is no such. */
export async function routeLoopback(name: string, allowed: boolean): Promise<void> {
  const before = await loopbackIsRouted(name);
  if (before === undefined || before === allowed) return;
  await writeFile(`/proc/sys/net/${routeKey(name)}`, allowed ? "1" : "0");
}

/** @returns `undefined` where there is no such interface */
export async function loopbackIsRouted(name: string): Promise<boolean | undefined> {
  const value = await setting(routeKey(name));
  return value === undefined ? undefined : value !== "0";
}

const routeKey = (name: string) => `ipv4/conf/${name}/route_localnet`;

async function setting(name: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/sys/net/${name}`, "utf8")).trim();
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
