import { BlockList, isIP } from "node:net";
import * as v from "valibot";

/** Addresses and networks of the proxies whose `X-Forwarded-For` is believed. */
export const TrustedProxies = v.array(
  v.pipe(
    v.string("write an address or a network, such as 10.0.0.0/8"),
    v.check(
      (text) => networkIn(text) !== undefined,
      "write an address or a network, such as 10.0.0.0/8",
    ),
  ),
  "write a list of networks",
);
export type TrustedProxies = v.InferOutput<typeof TrustedProxies>;

/** Tells the client's address: its socket's, or what our own proxies say that theirs was. */
export type ClientAddress = (
  socket: string | undefined,
  forwardedFor: string | undefined,
) => string;

export function clientAddressBehind(proxies: TrustedProxies): ClientAddress {
  const trusted = new BlockList();
  for (const text of proxies) {
    const network = networkIn(text);
    if (network) trusted.addSubnet(network.address, network.prefix, network.family);
  }

  return (socket = "", forwardedFor = "") => {
    const hops = forwardedFor.split(",").map((hop) => hop.trim());
    // Nobody but a proxy of this machine comes by a unix socket.
    if (socket !== "" || proxies.length === 0) hops.push(plain(socket));
    // From our end: what a client writes into the header itself stands further on the left.
    for (let hop = hops.pop(); hop !== undefined; hop = hops.pop()) {
      if (!isTrusted(hop)) return isIP(hop) ? hop : plain(socket);
    }
    return plain(socket);
  };

  function isTrusted(address: string): boolean {
    if (proxies.length === 0) return false;
    const version = isIP(address);
    return version !== 0 && trusted.check(address, version === 6 ? "ipv6" : "ipv4");
  }
}

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

function networkIn(text: string) {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  const longest = version === 6 ? 128 : 32;
  const prefix = bits === undefined ? longest : Number(bits);
  const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && prefix <= longest);
  if (version === 0 || more.length > 0 || !isPrefix) return undefined;
  return { address, prefix, family: version === 6 ? "ipv6" : "ipv4" } as const;
}
