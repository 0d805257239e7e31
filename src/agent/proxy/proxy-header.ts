import { isIPv6 } from "node:net";
import type { Connection } from "./connection.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const versionAndProxy = 0x21;
const tcpOverIpv4 = 0x11;
const tcpOverIpv6 = 0x21;

/**
 * Says whom a connection is from and where it came to (HAProxy's PROXY protocol, version 2, section
 * 2.2). An IPv4 client of a socket for both families is named by its IPv4 address.
 */
export function proxyHeader(
  client: Pick<Connection, "remoteAddress" | "remotePort" | "localAddress" | "localPort">,
): Buffer {
  const [from, to] = [client.remoteAddress, client.localAddress].map(plain);
  const isSix = isIPv6(from ?? "") || isIPv6(to ?? "");
  const addresses = Buffer.concat([from, to].map((text = "") => (isSix ? six(text) : four(text))));
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(client.remotePort ?? 0, 0);
  ports.writeUInt16BE(client.localPort ?? 0, 2);
  const head = Buffer.from([versionAndProxy, isSix ? tcpOverIpv6 : tcpOverIpv4, 0, 0]);
  head.writeUInt16BE(addresses.length + ports.length, 2);
  return Buffer.concat([signature, head, addresses, ports]);
}

function plain(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
}

function four(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function six(address: string): Buffer {
  if (!isIPv6(address))
    return Buffer.concat([Buffer.from("00000000000000000000ffff", "hex"), four(address)]);
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").flatMap(groupOf));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  const bytes = Buffer.alloc(16);
  for (const [place, group] of [...first, ...zeros, ...last].entries()) {
    bytes.writeUInt16BE(group, place * 2);
  }
  return bytes;
}

/** The last one may be an IPv4 address, which makes two. */
function groupOf(text: string): number[] {
  if (!text.includes(".")) return [Number.parseInt(text, 16)];
  const bytes = four(text);
  return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
}
