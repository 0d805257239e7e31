import { open } from "node:fs/promises";
import { type Call, withTimeout } from "../../base/call.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { readConntrack } from "./nft-command.ts";
import { ProxyError } from "./proxy-protocol.ts";

/** A port of this host, and host and port of who answers, as the kernel translates one to the other. */
export type Translation = `${number} ${string} ${number}`;

export type Counts = ReadonlyMap<Translation, number>;

const file = "/proc/net/nf_conntrack";
const readsOfFile = 3;
const limitMs = 10_000;
/** Of many ports all connections of this host are read. */
const mostFilters = 4;
const longestLine = 4_096;
/** Of a connection that one of the sides still has something to say in. */
const isOpen = / (SYN_SENT2?|SYN_RECV|ESTABLISHED|FIN_WAIT|CLOSE_WAIT|LAST_ACK) /;
const ends = /dst=\S+ sport=\d+ dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+) /;

/**
 * How many connections the kernel has open from `ports` of this host, by where they lead: told by the
 * program `conntrack`, or, where that is not installed, by a file of the kernel's.
 *
 * @throws {ProxyError} `REFUSED` when neither can be had
 */
export async function trackedConnections(ports: ReadonlySet<number>, call: Call): Promise<Counts> {
  try {
    return await countedByProgram(ports, call);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return (await countedInFile(ports, call)) ?? refuse(error);
  }
}

export async function countedByProgram(ports: ReadonlySet<number>, call: Call): Promise<Counts> {
  const count = openCount(ports);
  const isFiltered = ports.size > 0 && ports.size <= mostFilters;
  const filters = isFiltered ? [...ports].map((port) => ["--orig-port-dst", `${port}`]) : [[]];
  const lists = ["ipv4", "ipv6"].flatMap((family) =>
    filters.map((filter) => ["-L", "-p", "tcp", "-f", family, ...filter, "-o", "extended"]),
  );
  await Promise.all(lists.map((words) => readConntrack(words, count.take, call)));
  return count.counts;
}

/**
 * Several times, and the most of each: when others end while it is read, the kernel leaves some out.
 *
 * @returns `undefined` where there is no such file, or it is not to be read
 */
export async function countedInFile(
  ports: ReadonlySet<number>,
  call: Call,
): Promise<Counts | undefined> {
  const most = new Map<Translation, number>();
  for (let read = 0; read < readsOfFile; read++) {
    const count = openCount(ports);
    const handle = await open(file).catch((error) => {
      if (["ENOENT", "EACCES"].includes(systemCodeOf(error) ?? "")) return undefined;
      throw error;
    });
    if (!handle) return undefined;
    await withTimeout(file, limitMs, call, async (limited) => {
      const lines = linesOf(handle.createReadStream(limited), longestLine);
      for await (const line of lines) count.take(line);
    });
    for (const [key, value] of count.counts) most.set(key, Math.max(value, most.get(key) ?? 0));
  }
  return most;
}

function openCount(ports: ReadonlySet<number>) {
  const counts = new Map<Translation, number>();
  return { counts, take };

  function take(line: string): void {
    const found = translationIn(line);
    if (!found || !ports.has(Number.parseInt(found, 10))) return;
    counts.set(found, (counts.get(found) ?? 0) + 1);
  }
}

/** What a line of the kernel's table says, where it is about a TCP connection that is open. */
export function translationIn(line: string): Translation | undefined {
  if (!line.includes(" tcp ") || !isOpen.test(line)) return undefined;
  const [, port, host = "", inner] = ends.exec(line) ?? [];
  return port === undefined ? undefined : translation(Number(port), host, Number(inner));
}

export function translation(port: number, host: string, inner: number): Translation {
  return `${port} ${plainAddress(host)} ${inner}`;
}

/** `host port` of those who have any. */
export function endsIn(counts: Counts): Set<string> {
  return new Set([...counts.keys()].map((key) => key.slice(key.indexOf(" ") + 1)));
}

/** An IPv6 address in one form, however it was written. */
function plainAddress(host: string): string {
  return host.includes(":") ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : host;
}

function refuse(cause: ProxyError): never {
  throw new ProxyError(
    "REFUSED",
    `open connections cannot be counted: ${file} is not to be read, and ${messageOf(cause)}`,
    { cause, hint: cause.hint },
  );
}
