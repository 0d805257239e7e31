import * as v from "valibot";
import { ProxyError } from "./proxy-protocol.ts";

/** Where connections to `port` of this host are led. */
export interface Target {
  /** Of the backend. */
  id: string;
  port: number;
  /** Of IPv4, of IPv6, or both. */
  hosts: readonly string[];
  inner: number;
}

export interface ListedTarget extends Target {
  /** Whether it is given new connections. */
  isServing: boolean;
  total: number;
}

/** What is in a table of ours, as the kernel has it. */
export interface Listing {
  ports: ReadonlySet<number>;
  targets: readonly ListedTarget[];
  /** `host port` of those whose connections were broken off. */
  gone: ReadonlySet<string>;
  /** Interfaces that the way to the loopback was opened for. */
  opened: readonly string[];
  /** How many connections each port has had. */
  totals: ReadonlyMap<number, number>;
  /** Of all chains and counters. */
  chains: readonly string[];
  counters: readonly string[];
}

export const emptyListing: Listing = {
  ...{ ports: new Set(), targets: [], gone: new Set(), opened: [], totals: new Map() },
  ...{ chains: [], counters: [] },
};

const Concatenation = v.object({ concat: v.tuple([v.string(), v.number()]) });
const Element = v.union([v.number(), v.string(), Concatenation]);
const NamedSet = v.object({
  name: v.string(),
  elem: v.optional(v.array(v.union([Element, v.object({ elem: v.object({ val: Element }) })])), []),
});
const Document = v.object({
  nftables: v.array(
    v.object({
      chain: v.optional(v.object({ name: v.string() })),
      counter: v.optional(v.object({ name: v.string(), packets: v.number() })),
      set: v.optional(NamedSet),
      rule: v.optional(v.object({ chain: v.string(), expr: v.array(v.unknown()) })),
    }),
  ),
});
const Translation = v.object({ dnat: v.object({ addr: v.string(), port: v.number() }) });

export const chainOf = ({ port, id }: { port: number; id: string }) => `to_${port}_${id}`;
export const portChainOf = (port: number) => `port_${port}`;

/** @throws {ProxyError} when it is not what `nft --json list table` says */
export function listingIn(json: string): Listing {
  let all: v.InferOutput<typeof Document>["nftables"];
  try {
    all = v.parse(Document, JSON.parse(json)).nftables;
  } catch (cause) {
    throw new ProxyError("REFUSED", "nft answers in a form that dewy does not know", { cause });
  }
  const counters = new Map(
    all.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets] as const] : [])),
  );
  const rules = all.flatMap(({ rule }) => rule ?? []);
  const chains = all.flatMap(({ chain }) => chain?.name ?? []);
  const served = JSON.stringify(rules.filter(({ chain }) => /^port_\d+$/.test(chain)));
  const elementsOf = (wanted: RegExp) =>
    all.flatMap(({ set }) => (set && wanted.test(set.name) ? set.elem.map(plain) : []));
  return {
    ports: new Set(elementsOf(/^ports$/).map(Number)),
    gone: new Set(elementsOf(/^gone/)),
    opened: elementsOf(/^opened$/),
    totals: new Map(
      [...counters].flatMap(([name, packets]) => {
        const [, port] = /^port_(\d+)$/.exec(name) ?? [];
        return port === undefined ? [] : [[Number(port), packets] as const];
      }),
    ),
    targets: chains.flatMap((name) => {
      const [, port, id = ""] = /^to_(\d+)_(.*)$/.exec(name) ?? [];
      const leads = rules.filter(({ chain }) => chain === name).flatMap(({ expr }) => expr);
      const ends = leads.flatMap((one) => (v.is(Translation, one) ? one.dnat : []));
      const [first] = ends;
      if (port === undefined || !first) return [];
      return {
        ...{ id, port: Number(port), inner: first.port, hosts: ends.map(({ addr }) => addr) },
        isServing: served.includes(`"${name}"`),
        total: counters.get(name) ?? 0,
      };
    }),
    ...{ chains, counters: [...counters.keys()] },
  };
}

function plain(element: v.InferOutput<typeof NamedSet>["elem"][number]): string {
  if (typeof element !== "object") return String(element);
  if ("elem" in element) return plain(element.elem.val);
  return element.concat.join(" ");
}
