import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
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
const streamProgram = fileURLToPath(new URL("stream.program.js", import.meta.url));

/** By wrk, with a connection a client, or one a request. */
export async function requests(
  subject: Subject,
  { fresh, seconds }: { fresh: boolean; seconds: number },
): Promise<Rate> {
  const before = await cpuOf(subject);
  const stdout = await asked(subject, [
    ...["wrk", "-t", "1", "-c", String(clients), "-d", String(seconds), "--latency"],
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
  const url = `http://${subject.host}:${subject.port}/stream`;
  const answer = await asked(subject, [process.execPath, streamProgram, url]);
  const { bytes, seconds } = JSON.parse(answer) as { bytes: number; seconds: number };
  const mebibytes = bytes / 1024 ** 2;
  return {
    rate: mebibytes / seconds,
    processor: ((await cpuOf(subject)) - before) / (mebibytes / 1024),
  };
}

/** @returns what a program prints where clients are */
async function asked({ atClient }: Subject, words: readonly string[]): Promise<string> {
  const [program = "", ...args] = [...atClient, ...words];
  return (await promisify(execFile)(program, args)).stdout;
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
