import { execFile } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { promisify } from "node:util";
import { cpuSeconds, memoryOf } from "../agent/process-figures.ts";
import type { Subject } from "./subjects.ts";

export interface Rate {
  perSecond: number;
  p99Ms: number;
  /** Of what stands between; 0 for nothing. */
  processorMicroseconds: number;
}

const clients = 32;
const opensAtOnce = 200;

/** By wrk, with a connection a client, or one a request. */
export async function requests(
  subject: Subject,
  { fresh, seconds }: { fresh: boolean; seconds: number },
): Promise<Rate> {
  const before = await cpuOf(subject);
  const { stdout } = await promisify(execFile)("wrk", [
    ...["-t", "1", "-c", String(clients), "-d", String(seconds), "--latency"],
    ...(fresh ? ["-H", "Connection: close"] : []),
    `http://${subject.host}:${subject.port}/`,
  ]);
  const spent = (await cpuOf(subject)) - before;
  const found = (pattern: RegExp) => pattern.exec(stdout)?.slice(1) ?? [];
  const [count] = found(/(\d+) requests in/);
  const [perSecond] = found(/Requests\/sec:\s+([\d.]+)/);
  const [p99, unit = "ms"] = found(/99%\s+([\d.]+)(us|ms|s)/);
  if (/Non-2xx/.test(stdout)) throw new Error(`${subject.name} failed:\n${stdout}`);
  return {
    perSecond: Number(perSecond),
    p99Ms: Number(p99) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? 1),
    processorMicroseconds: (spent / Number(count)) * 1e6,
  };
}

/** MiB a second of a body of 1 GiB, and the processor seconds it took. */
export async function stream(subject: Subject): Promise<{ rate: number; processor: number }> {
  const before = await cpuOf(subject);
  const begunAt = performance.now();
  const url = `http://${subject.host}:${subject.port}/stream`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false }, resolve).on("error", reject);
  });
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  const mebibytes = bytes / 1024 ** 2;
  return {
    rate: mebibytes / ((performance.now() - begunAt) / 1000),
    processor: ((await cpuOf(subject)) - before) / (mebibytes / 1024),
  };
}

/** What `count` connections that say nothing take of the memory of what stands between. */
export async function idleMemory(
  { host, port, pid }: Subject,
  count: number,
): Promise<{ beforeMb: number; withMb: number; open: number }> {
  if (pid === undefined) throw new Error("nothing stands between");
  const { nowMb: beforeMb } = await memoryOf(pid);
  const sockets: Socket[] = [];
  try {
    while (sockets.length < count) {
      const some = Array.from({ length: Math.min(opensAtOnce, count - sockets.length) }, () =>
        opened(port, host),
      );
      sockets.push(...(await Promise.all(some)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const open = sockets.filter(({ destroyed }) => !destroyed).length;
    return { beforeMb, withMb: (await memoryOf(pid)).nowMb, open };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function opened(port: number, host: string): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, "connect");
  return socket.on("error", () => {}).resume();
}

async function cpuOf({ pid }: Subject): Promise<number> {
  return pid === undefined ? 0 : cpuSeconds(pid);
}
