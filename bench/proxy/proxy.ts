import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { connectionLimit } from "../../src/agent/proxy/own-host.ts";
import { table } from "../table.ts";
import { idleMemory, type Rate, requests, stream } from "./measures.ts";
import { openSubjects, type Subject } from "./subjects.ts";

const rounds = 3;
const seconds = 3;
const idleConnections = 10_000;
/** Less than that where this machine allows fewer files; some are left for others. */
const ownConnections = 100;

interface Figures {
  keepAlive: Rate[];
  fresh: Rate[];
  streams: { rate: number; processor: number }[];
}

/**
 * Measures the proxy of `dewy container` before one backend: against none at all, and against
 * HAProxy where it is. They take turns, so that what else the machine does meets all of them.
 */
export async function run(print: (line: string) => void): Promise<void> {
  if (!isHere("wrk")) return print("wrk is not on this machine, which this bench loads with");
  const directory = await mkdtemp(join(tmpdir(), "dewy-bench-proxy-"));
  const mostConnections = Math.min(idleConnections, (await connectionLimit()) - ownConnections);
  const { all, close } = await openSubjects(directory, {
    ...{ withHaproxy: isHere("haproxy"), mostConnections },
  });
  try {
    const figures = new Map<Subject, Figures>(
      all.map((subject) => [subject, { keepAlive: [], fresh: [], streams: [] }]),
    );
    for (const subject of all) await requests(subject, { fresh: false, seconds: 1 });
    for (let round = 0; round < rounds; round++) {
      for (const [subject, { keepAlive, fresh, streams }] of figures) {
        keepAlive.push(await requests(subject, { fresh: false, seconds }));
        fresh.push(await requests(subject, { fresh: true, seconds }));
        streams.push(await stream(subject));
      }
    }
    for (const line of report(figures)) print(line);
    for (const subject of all.slice(1)) print(await memoryLine(subject, mostConnections));
  } finally {
    close();
    await rm(directory, { recursive: true, force: true });
  }
}

function report(figures: ReadonlyMap<Subject, Figures>): string[] {
  const [direct] = figures.values();
  if (!direct) return [];
  const requestRows = (of: "keepAlive" | "fresh", title: string) => [
    [title, "a second", "of direct", "p99 ms", "added", "processor µs"],
    ...[...figures].map(([{ name }, each]) => {
      const rates = each[of];
      const perSecond = median(rates.map((one) => one.perSecond));
      const p99 = median(rates.map((one) => one.p99Ms));
      return [
        ...[name, perSecond.toFixed(0)],
        percent(perSecond, median(direct[of].map((one) => one.perSecond))),
        ...[p99.toFixed(1), (p99 - median(direct[of].map((one) => one.p99Ms))).toFixed(1)],
        median(rates.map((one) => one.processorMicroseconds)).toFixed(0),
      ];
    }),
  ];
  const streamRows = [
    ["1 GiB", "MiB/s", "of direct", "processor s"],
    ...[...figures].map(([{ name }, { streams }]) => {
      const rate = median(streams.map((one) => one.rate));
      return [
        ...[name, rate.toFixed(0), percent(rate, median(direct.streams.map((one) => one.rate)))],
        median(streams.map((one) => one.processor)).toFixed(2),
      ];
    }),
  ];
  return [
    ...table(requestRows("keepAlive", "4 KiB, kept connections")),
    ...table(requestRows("fresh", "4 KiB, a connection each")),
    ...table(streamRows),
  ];
}

async function memoryLine(subject: Subject, count: number): Promise<string> {
  const { beforeMb, withMb, open } = await idleMemory(subject, count);
  const each = ((withMb - beforeMb) * 1024) / open;
  const sizes = `${beforeMb.toFixed(0)} MiB before, ${withMb.toFixed(0)} MiB with`;
  return `${subject.name}: ${sizes} ${open} silent connections, ${each.toFixed(1)} KiB each`;
}

const percent = (value: number, of: number) => `${((value / of) * 100).toFixed(0)} %`;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function isHere(program: string): boolean {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return directories.some((directory) => existsSync(join(directory, program)));
}
