import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { proxySocket } from "../../src/agent/proxy/proxy-process.ts";
import { askProxy } from "../../src/agent/proxy/proxy-protocol.ts";
import type { ProxySettings } from "../../src/agent/proxy/proxy-settings.ts";
import { freePort, until } from "../stage.ts";

/** What a client reaches the backend by. */
export interface Subject {
  name: string;
  port: number;
  /** What stands between them; `undefined` for nothing. */
  pid: number | undefined;
}

export interface Subjects {
  all: Subject[];
  close(): void;
}

const idleMs = 300_000;
const built = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The backend by itself, behind ours, and behind HAProxy. */
export async function openSubjects(
  directory: string,
  { withHaproxy, mostConnections }: { withHaproxy: boolean; mostConnections: number },
): Promise<Subjects> {
  const children: ChildProcess[] = [];
  const close = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  try {
    const backend = await freePort();
    await started(process.execPath, [built("bench/proxy/backend.program.js"), String(backend)]);
    const all = [{ name: "direct", port: backend, pid: undefined }, await ours(backend)];
    if (withHaproxy) all.push(await haproxy(backend));
    return { all, close };
  } catch (error) {
    close();
    throw error;
  }

  async function ours(backend: number): Promise<Subject> {
    const port = await freePort();
    const settings: ProxySettings = {
      ...{ version: "bench", directory, idleMs, proxyProtocol: false },
      maximumConnections: mostConnections,
    };
    const program = built("src/proxy-main.js");
    const child = await started(process.execPath, [program, JSON.stringify(settings)]);
    const backends = [{ id: "backend", host: "127.0.0.1", port: backend }];
    const call = { signal: AbortSignal.timeout(10_000) };
    await askProxy(
      join(directory, proxySocket),
      { do: "declare", routes: [{ port, backends }] },
      call,
    );
    return { name: "dewy", port, pid: child.pid };
  }

  async function haproxy(backend: number): Promise<Subject> {
    const port = await freePort();
    const path = join(directory, "haproxy.cfg");
    await writeFile(path, haproxyConfig(port, backend, mostConnections));
    const child = spawn("haproxy", ["-db", "-f", path], { stdio: "ignore" });
    children.push(child);
    await until("HAProxy listens", () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return { name: "haproxy", port, pid: child.pid };
  }

  async function started(program: string, args: readonly string[]): Promise<ChildProcess> {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const child = spawn(program, args, { stdio: [...stdio] });
    children.push(child);
    await once(child.stdout as Readable, "data");
    return child;
  }
}

const haproxyConfig = (port: number, backend: number, mostConnections: number) => `global
  maxconn ${mostConnections}
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
listen bench
  bind :::${port} v4v6
  server backend 127.0.0.1:${backend}
`;
