import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { openNftables } from "../../src/agent/proxy/nftables.ts";
import { proxySocket } from "../../src/agent/proxy/proxy-process.ts";
import { askProxy } from "../../src/agent/proxy/proxy-protocol.ts";
import type { ProxySettings } from "../../src/agent/proxy/proxy-settings.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { freePort } from "../free-port.ts";
import { until } from "../stage.ts";
import type { Place } from "./place.ts";

/** What a client reaches the backend by. */
export interface Subject {
  name: string;
  host: string;
  port: number;
  /** What a program is started by where clients are. */
  atClient: readonly string[];
  /** What stands between them; `undefined` for nothing, and for the kernel. */
  pid: number | undefined;
  /** Of what direct is, that it promises to be. */
  promise?: number;
}

export interface Subjects {
  all: Subject[];
  backend: number | undefined;
  close(): Promise<void>;
}

const idleMs = 300_000;
const built = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * The backend by itself, behind ours, behind HAProxy, and behind rules of the kernel. It has a port for
 * each: connections that have ended stand in the way of others between the same two ends.
 */
export async function openSubjects(
  directory: string,
  place: Place,
  { with: others, mostConnections }: { with: Others; mostConnections: number },
): Promise<Subjects> {
  const closing: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const work of closing.reverse()) await work();
  };
  const { host, atClient } = place;
  try {
    const ports = await Promise.all(Array.from({ length: 4 }, freePort));
    const [direct = 0, behindOurs = 0, behindHaproxy = 0, behindRules = 0] = ports;
    const program = [process.execPath, built("bench/proxy/backend.program.js")];
    const { pid } = await started([...place.atBackend, ...program, ...ports.map(String)]);
    const all: Subject[] = [
      { name: "direct", host: place.backend, port: direct, atClient, pid: undefined },
      { ...(await ours(behindOurs)), promise: 0.6 },
    ];
    if (others.haproxy) all.push(await haproxy(behindHaproxy));
    if (others.nftables) all.push({ ...(await rules(behindRules)), promise: 0.9 });
    return { all, backend: pid, close };
  } catch (error) {
    await close();
    throw error;
  }

  async function ours(backend: number): Promise<Subject> {
    const port = await freePort();
    const settings: ProxySettings = {
      ...{ version: "bench", directory, idleMs, proxyProtocol: false },
      maximumConnections: mostConnections,
    };
    const program = built("src/proxy-main.js");
    const child = await started([process.execPath, program, JSON.stringify(settings)]);
    const request = { do: "declare" as const, routes: [routeTo(port, backend)] };
    const call = { signal: AbortSignal.timeout(10_000) };
    await askProxy(join(directory, proxySocket), request, call);
    return { name: "dewy", host, port, atClient, pid: child.pid };
  }

  async function haproxy(backend: number): Promise<Subject> {
    const port = await freePort();
    const path = join(directory, "haproxy.cfg");
    const server = `${place.backend}:${backend}`;
    await writeFile(path, haproxyConfig(port, server, mostConnections));
    const child = run(["haproxy", "-db", "-f", path], "ignore");
    await until("HAProxy listens", () =>
      fetch(`http://${place.host}:${port}/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return { name: "haproxy", host, port, atClient, pid: child.pid };
  }

  async function rules(backend: number): Promise<Subject> {
    const port = await freePort();
    const own = join(directory, "rules");
    await mkdir(own);
    const parts = { logger: silentLogger, clock: systemClock };
    const call = { signal: AbortSignal.timeout(30_000) };
    const plane = await openNftables({ directory: own, ports: [port] }, parts, call);
    closing.push(() => plane.close({ keep: false }));
    await plane.declare([routeTo(port, backend)], call);
    return { name: "nftables", host, port, atClient, pid: undefined };
  }

  function routeTo(port: number, backend: number) {
    return { port, backends: [{ id: "backend", host: place.backend, port: backend }] };
  }

  function run(words: readonly string[], output: "pipe" | "ignore"): ChildProcess {
    const [program = "", ...args] = words;
    const child = spawn(program, args, { stdio: ["ignore", output, "inherit"] });
    closing.push(() => void child.kill("SIGKILL"));
    return child;
  }

  async function started(words: readonly string[]): Promise<ChildProcess> {
    const child = run(words, "pipe");
    await once(child.stdout as Readable, "data");
    return child;
  }
}

/** Which of those that take a program or rights are to be had. */
export interface Others {
  haproxy: boolean;
  nftables: boolean;
}

const haproxyConfig = (port: number, server: string, mostConnections: number) => `global
  maxconn ${mostConnections}
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
listen bench
  bind :::${port} v4v6
  server backend ${server}
`;
