import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { chainOf, type Listing, portChainOf, type Target } from "./nft-listing.ts";

/** What a table of ours is to hold. */
export interface TableContent {
  /** All that were ever led somewhere, and still have connections. */
  ports: readonly number[];
  /** Those that new connections are led to. */
  serving: readonly Target[];
  /** Those that have some left. */
  leaving: readonly Target[];
  /** `host port` of those whose connections are broken off. */
  gone: readonly string[];
  /** Networks of this host that they are in. */
  networks: readonly { interface: string; cidr: string }[];
  /** Interfaces that the way to the loopback was opened for, by this program. */
  opened: readonly string[];
}

/** What all our tables begin with, and nobody else's. */
export const tablePrefix = "dewy_";

const idPattern = /^[\w.-]{1,100}$/;
/** Before those of container engines, which are at -100 and 100. */
const baseChains = {
  arriving: "nat hook prerouting priority -110",
  asked: "nat hook output priority -110",
  leaving: "nat hook postrouting priority 90",
  guard: "filter hook prerouting priority -150",
  passing: "filter hook forward priority -10",
  sent: "filter hook output priority -10",
  received: "filter hook input priority -10",
};
const plainChains = ["choose", "cut"];
const sets = {
  ports: "type inet_service;",
  opened: "type ifname;",
  // As long as the kernel remembers a connection that is silent.
  gone4: "type ipv4_addr . inet_service; flags timeout; timeout 5d;",
  gone6: "type ipv6_addr . inet_service; flags timeout; timeout 5d;",
};

/** Of the app whose `.dewy` is `directory`: another one of the same name has another table. */
export function tableNameOf(directory: string): string {
  const app = dirname(directory);
  const name = basename(app).replace(/[^A-Za-z0-9]+/g, "_");
  const digest = createHash("sha256").update(app).digest("hex").slice(0, 8);
  return `${tablePrefix}${name.slice(0, 40)}_${digest}`;
}

/** Whether a backend of this id can be named in a table. */
export const canBeNamed = (id: string) => idPattern.test(id);

/**
 * What nft is to be told, all at once, so that the table holds `content`, whatever is in it now.
 * Counters of what stays keep their values.
 */
export function scriptOf(
  table: { name: string; directory: string },
  content: TableContent,
  now: Listing,
): string {
  const { name } = table;
  const comment = dirname(table.directory).replace(/[^\w./ -]/g, "?");
  const { serving, leaving, ports } = content;
  const open = ports.filter((port) => serving.some((one) => one.port === port));
  const targets = [...serving, ...leaving];
  const chains = [...open.map(portChainOf), ...targets.map(chainOf)];
  const counters = [...ports.map(portChainOf), ...targets.map(chainOf)];
  const own = [...Object.keys(baseChains), ...plainChains];
  const unneeded = now.chains.filter((one) => !own.includes(one) && !chains.includes(one));
  const on = (verb: string, each: readonly string[], rest = "") =>
    each.map((one) => `${verb} inet ${name} ${one}${rest}`);
  return [
    `add table inet ${name} { comment "dewy: ${comment.slice(0, 100)}"; }`,
    ...Object.entries(sets).flatMap(([set, type]) => on("add set", [set], ` { ${type} }`)),
    ...Object.entries(baseChains).flatMap(([chain, hook]) =>
      on("add chain", [chain], ` { type ${hook}; policy accept; }`),
    ),
    ...on("add chain", [...plainChains, ...chains]),
    ...on("add counter", counters),
    // Another app may have left it a way to the loopback since.
    ...on(
      "flush set",
      Object.keys(sets).filter((one) => one !== "opened"),
    ),
    ...on("flush chain", [...own, ...chains, ...unneeded]),
    ...elementsOf(content).map((line) => `add element inet ${name} ${line}`),
    ...rulesOf(content, open).map((line) => `add rule inet ${name} ${line}`),
    ...on("delete chain", unneeded),
    ...on(
      "delete counter",
      now.counters.filter((one) => !counters.includes(one)),
    ),
    "",
  ].join("\n");
}

/** @returns what nft is to be told so that the table leads nowhere, and guards as before */
export function emptyingOf(table: { name: string; directory: string }, now: Listing): string {
  const nothing = { ports: [], serving: [], leaving: [], gone: [], networks: [] };
  return scriptOf(table, { ...nothing, opened: now.opened }, now);
}

/** @returns what nft is to be told so that there is no such table, whether or not there is one now */
export function removalOf(name: string): string {
  return `add table inet ${name}\ndelete table inet ${name}\n`;
}

function elementsOf({ ports, gone, opened }: TableContent): string[] {
  const ends = gone.map((one) => one.replace(" ", " . "));
  const of = (set: string, elements: readonly (string | number)[]) =>
    elements.length === 0 ? [] : [`${set} { ${elements.join(", ")} }`];
  return [
    ...of("ports", ports),
    ...of("opened", opened.map(quoted)),
    ...of(
      "gone4",
      ends.filter((one) => !one.includes(":")),
    ),
    ...of(
      "gone6",
      ends.filter((one) => one.includes(":")),
    ),
  ];
}

const ours = "ct status dnat meta l4proto tcp ct original proto-dst @ports";

function rulesOf(content: TableContent, open: readonly number[]): string[] {
  const { serving, leaving, networks, gone } = content;
  const near = [...new Set(networks.map((one) => quoted(one.interface)))].join(", ");
  return [
    "arriving fib daddr type local goto choose",
    // The kernel does not send from ::1 to anybody else.
    "asked ip6 daddr ::1 return",
    "asked fib daddr type local goto choose",
    ...map(
      "choose tcp dport",
      open.map((port) => `${port} : goto ${portChainOf(port)}`),
    ),
    ...open.flatMap((port) =>
      choiceOf(
        port,
        serving.filter((one) => one.port === port),
      ),
    ),
    ...[...serving, ...leaving].flatMap(translationOf),
    ...returnRules(serving, networks).map((rule) => `leaving ${ours} ${rule} masquerade`),
    "guard ip daddr 127.0.0.0/8 iifname @opened drop",
    ...(near ? [`guard ip daddr 127.0.0.0/8 iifname { ${near} } drop`] : []),
    ...(gone.length > 0 ? cuttingRules() : []),
  ];
}

/** Of each packet, and so only while they are needed. */
function cuttingRules(): string[] {
  return [
    ...["passing", "sent", "received"].map((chain) => `${chain} ct status dnat goto cut`),
    // Those that the rules after it send pass here too.
    "cut tcp flags & rst == rst accept",
    ...["ip daddr . tcp dport @gone4", "ip saddr . tcp sport @gone4"]
      .flatMap((match) => [match, match.replaceAll("ip ", "ip6 ").replace("gone4", "gone6")])
      .map((match) => `cut ${match} ${ours} reject with tcp reset`),
  ];
}

/** Each of them in its turn, of those that have an address of the client's kind. */
function choiceOf(port: number, targets: readonly Target[]): string[] {
  const chain = portChainOf(port);
  const among = (some: readonly Target[]) =>
    some.map((one, place) => `${place} : goto ${chainOf(one)}`);
  const rules = families.flatMap(({ nfproto, isOf }) => {
    const some = targets.filter(({ hosts }) => hosts.some(isOf));
    return map(`${chain} meta nfproto ${nfproto} numgen inc mod ${some.length}`, among(some));
  });
  return [`${chain} counter name ${chain}`, ...rules];
}

function translationOf(target: Target): string[] {
  const chain = chainOf(target);
  const to = families.flatMap(({ ip, isOf, written }) =>
    target.hosts
      .filter(isOf)
      .map((host) => `${chain} meta l4proto tcp dnat ${ip} to ${written(host)}:${target.inner}`),
  );
  return [`${chain} counter name ${chain}`, ...to];
}

/** So that answers come back this way: to the loopback, and to who is in the same network. */
function returnRules(serving: readonly Target[], networks: TableContent["networks"]): string[] {
  return families.flatMap(({ ip, isOf, loopback }) => {
    const ends = serving.flatMap(({ hosts, inner }) =>
      hosts.filter(isOf).map((host) => `${host} . ${inner}`),
    );
    if (ends.length === 0) return [];
    const to = `${ip} daddr . tcp dport { ${[...new Set(ends)].join(", ")} }`;
    const near = networks.filter(({ cidr }) => isOf(cidr)).map(({ cidr }) => cidr);
    return [
      ...loopback.map((from) => `${ip} saddr ${from} oifname != "lo" ${to}`),
      ...[...new Set(near)].map((from) => `${ip} saddr ${from} ${to}`),
    ];
  });
}

const isSix = (address: string) => address.includes(":");

const families = [
  {
    ...{ ip: "ip", nfproto: "ipv4", loopback: ["127.0.0.0/8"] },
    isOf: (address: string) => !isSix(address),
    written: (host: string) => host,
  },
  {
    ...{ ip: "ip6", nfproto: "ipv6", loopback: [] },
    ...{ isOf: isSix, written: (host: string) => `[${host}]` },
  },
];

const quoted = (name: string) => `"${name}"`;

function map(match: string, entries: readonly string[]): string[] {
  return entries.length === 0 ? [] : [`${match} vmap { ${entries.join(", ")} }`];
}
