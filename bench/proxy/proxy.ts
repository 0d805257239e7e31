import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { forwards } from "../../src/agent/proxy/host-networks.ts";
import { connectionLimit } from "../../src/agent/proxy/own-host.ts";
import { table } from "../table.ts";
import { idleMemory, type Rate, requests, stream } from "./measures.ts";
import { openLocalPlace, openWiredPlace } from "./place.ts";
import { type Seating, seat, seatings } from "./processors.ts";
import { openSubjects, type Subject } from "./subjects.ts";

const rounds = 5;
const seconds = 1;
const idleConnections = 10_000;
/** Less than that where this machine allows fewer files; some are left for others. */
const ownConnections = 100;

interface Figures {
  keepAlive: Rate[];
  fresh: Rate[];
  streams: { rate: number; processor: number }[];
}

const titles: Readonly<Record<Seating, string>> = {
  apart: "what stands between has a processor of its own",
  together: "client, backend and what stands between share all processors",
};
const [promisedFor] = seatings;

type AllFigures = ReadonlyMap<Subject, Figures>;

/**
 * Measures what carries the traffic of `dewy container` before one backend: against nothing at all, and
 * against HAProxy where it is. They take turns, so that what else the machine does meets all of them,
 * and each turn is compared with that of `direct` beside it.
 */
export async function run(print: (line: string) => void): Promise<void> {
  for (const [program, what] of Object.entries({ wrk: "loads with", taskset: "seats by" })) {
    if (!isHere(program))
      return print(`${program} is not on this machine, which this bench ${what}`);
  }
  const directory = await mkdtemp(join(tmpdir(), "dewy-bench-proxy-"));
  const mostConnections = Math.min(idleConnections, (await connectionLimit()) - ownConnections);
  const isWired = process.getuid?.() === 0 && isHere("ip") && (await forwards("ipv4"));
  const nftables = isWired && isHere("nft");
  if (!nftables) print("without root, nft, ip and net.ipv4.ip_forward the kernel is left out");
  const place = isWired ? await openWiredPlace() : openLocalPlace();
  const others = { haproxy: isHere("haproxy"), nftables };
  try {
    const subjects = await openSubjects(directory, place, { with: others, mostConnections });
    const { all, close } = subjects;
    const between = all.flatMap(({ pid }) => pid ?? []);
    const programs = { between, others: [process.pid, subjects.backend ?? []].flat() };
    try {
      for (const seating of seatings) {
        await seat(programs, seating);
        for (const line of report(await measured(all), seating)) print(line);
      }
      for (const subject of all) {
        if (subject.pid !== undefined) print(await memoryLine(subject, mostConnections));
      }
    } finally {
      await close();
    }
  } finally {
    await place.leave();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measured(all: readonly Subject[]): Promise<AllFigures> {
  const figures = new Map<Subject, Figures>(
    all.map((subject) => [subject, { keepAlive: [], fresh: [], streams: [] }]),
  );
  for (const subject of all) {
    for (const fresh of [false, true]) await requests(subject, { fresh, seconds: 2 });
  }
  for (let round = 0; round < rounds; round++) {
    for (const [subject, { keepAlive }] of figures) {
      keepAlive.push(await requests(subject, { fresh: false, seconds }));
    }
    for (const [subject, { fresh }] of figures) {
      fresh.push(await requests(subject, { fresh: true, seconds }));
    }
    for (const [subject, { streams }] of figures) streams.push(await stream(subject));
  }
  return figures;
}

function report(figures: AllFigures, seating: Seating): string[] {
  const [direct] = figures.values();
  if (!direct) return [];
  const requestRows = (of: "keepAlive" | "fresh", title: string) => [
    [title, "a second", "of direct", "p99 ms", "added", "processor µs"],
    ...[...figures].map(([{ name }, each]) => {
      const p99 = median(each[of].map((one) => one.p99Ms));
      return [
        ...[name, median(perSecond(each[of])).toFixed(0)],
        percent(share(perSecond(each[of]), perSecond(direct[of]))),
        ...[p99.toFixed(1), (p99 - median(direct[of].map((one) => one.p99Ms))).toFixed(1)],
        median(each[of].map((one) => one.processorMicroseconds)).toFixed(0),
      ];
    }),
  ];
  const streamRows = [
    ["1 GiB", "MiB/s", "of direct", "processor s"],
    ...[...figures].map(([{ name }, { streams }]) => [
      ...[name, median(rates(streams)).toFixed(0)],
      percent(share(rates(streams), rates(direct.streams))),
      median(streams.map((one) => one.processor)).toFixed(2),
    ]),
  ];
  return [
    `${titles[seating]}:`,
    ...table(requestRows("keepAlive", "4 KiB, kept connections")),
    ...table(requestRows("fresh", "4 KiB, a connection each")),
    ...table(streamRows),
    ...(seating === promisedFor ? table(verdicts(figures, direct)) : []),
  ];
}

function verdicts(figures: AllFigures, direct: Figures): string[][] {
  const shares = ({ keepAlive, fresh, streams }: Figures) => [
    share(perSecond(keepAlive), perSecond(direct.keepAlive)),
    share(perSecond(fresh), perSecond(direct.fresh)),
    share(rates(streams), rates(direct.streams)),
  ];
  return [
    ["promised", "of direct", "kept", "a connection each", "1 GiB"],
    ...[...figures].flatMap(([{ name, promise }, each]) => {
      if (promise === undefined) return [];
      const kept = shares(each).map((one) => (one >= promise ? "yes" : `no: ${percent(one)}`));
      return [[name, percent(promise), ...kept]];
    }),
  ];
}

const perSecond = (of: readonly Rate[]) => of.map((one) => one.perSecond);
const rates = (of: readonly { rate: number }[]) => of.map((one) => one.rate);

/** What `values` are of `direct`, turn by turn. */
function share(values: readonly number[], direct: readonly number[]): number {
  return median(values.map((value, turn) => value / (direct[turn] ?? value)));
}

async function memoryLine(subject: Subject, count: number): Promise<string> {
  const { beforeMb, withMb, open } = await idleMemory(subject, count);
  const each = ((withMb - beforeMb) * 1024) / open;
  const sizes = `${beforeMb.toFixed(0)} MiB before, ${withMb.toFixed(0)} MiB with`;
  return `${subject.name}: ${sizes} ${open} silent connections, ${each.toFixed(1)} KiB each`;
}

const percent = (value: number) => `${(value * 100).toFixed(0)} %`;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function isHere(program: string): boolean {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return directories.some((directory) => existsSync(join(directory, program)));
}
