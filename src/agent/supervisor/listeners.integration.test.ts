import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemCodeOf } from "../../base/errors.ts";
import { openListeners } from "./listeners.ts";
import { openListeningSocket } from "./listening-socket.ts";
import { listenersOn } from "./sample-app.fake.ts";

describe("openListeners", () => {
  it("leaves connections to the processes that inherit the socket", async ({ signal }) => {
    const { sockets } = await listenersOn(1, signal);
    const [{ port, fd } = { port: 0, fd: -1 }] = sockets;
    const early = Array.from({ length: 20 }, () => greetingFrom(port, "127.0.0.1"));

    const first = await echoOn(fd, "first");
    expect(new Set(await Promise.all(early))).toEqual(new Set(["first"]));
    const second = await echoOn(fd, "second");
    await end(first);
    const late = Array.from({ length: 20 }, () => greetingFrom(port, "127.0.0.1"));

    expect(new Set(await Promise.all(late))).toEqual(new Set(["second"]));
    await end(second);
  });

  it("loses no connection of a storm that is on while it opens", async ({ signal }) => {
    const [port = 0] = await freePorts(1);
    const storm = Array.from({ length: 32 }, () => firstGreetingFrom(port));

    const listeners = await openListeners([port], { signal });
    onTestFinished(() => listeners.close());
    await echoOn(listeners.sockets[0]?.fd ?? -1, "here");

    expect(new Set(await Promise.all(storm))).toEqual(new Set(["here"]));
  });

  it.skipIf(process.platform !== "linux")(
    "hands over a socket that blocks, for workers that expect one",
    async ({ signal }) => {
      const { sockets } = await listenersOn(1, signal);

      const flags = readFileSync(`/proc/self/fdinfo/${sockets[0]?.fd}`, "utf8");

      const O_NONBLOCK = 0o4000;
      expect(Number.parseInt(/flags:\s*(\d+)/.exec(flags)?.[1] ?? "4000", 8) & O_NONBLOCK).toBe(0);
    },
  );

  it.each(["127.0.0.1", "::1"])("is reached at %s", async (host) => {
    const { sockets } = await listenersOn(1, new AbortController().signal);
    const [{ port, fd } = { port: 0, fd: -1 }] = sockets;
    await echoOn(fd, "here");

    expect(await greetingFrom(port, host)).toBe("here");
  });

  it("takes the next address where the first one's family is not to be had", async ({ signal }) => {
    const socket = await openListeningSocket(0, { signal }, ["2001:db8::1", "127.0.0.1"]);
    onTestFinished(() => socket.close());
    await echoOn(socket.fd, "here");

    expect(await greetingFrom(socket.port, "127.0.0.1")).toBe("here");
  });

  it("keeps the order of the ports, however many there are", async ({ signal }) => {
    const ports = await freePorts(6);

    const listeners = await openListeners(ports, { signal });
    onTestFinished(() => listeners.close());

    expect(listeners.sockets.map(({ port }) => port)).toEqual(ports);
    expect(new Set(listeners.sockets.map(({ fd }) => fd)).size).toBe(6);
  });

  it("opens nothing for no ports", async ({ signal }) => {
    expect((await openListeners([], { signal })).sockets).toEqual([]);
  });

  it("names a port that is in use, and lets go of the others", async ({ signal }) => {
    const taken = await listening(0);
    const ports = await freePorts(2);
    const all = [...ports, portOf(taken)];

    await expect(openListeners(all, { signal })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `port ${portOf(taken)} is in use by another process`,
      hint: `see who listens there with: ss -ltnp 'sport = :${portOf(taken)}'`,
    });

    for (const port of ports) await listening(port);
  });

  it("does not take half a port, when another one has its IPv6 side", async ({ signal }) => {
    const taken = await listening(0, { host: "::", ipv6Only: true });

    await expect(openListeners([portOf(taken)], { signal })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
  });

  it.skipIf(!mayTryPrivilegedPort())("says what a privileged port needs", async ({ signal }) => {
    const { seteuid = () => {} } = process;
    seteuid(65_534);
    onTestFinished(() => seteuid(0));

    await expect(openListeners([81], { signal })).rejects.toMatchObject({
      code: "PORT_FORBIDDEN",
      message: expect.stringContaining("port 81 "),
      hint: expect.stringContaining("CAP_NET_BIND_SERVICE"),
    });
  });

  it("stops when told to, and leaves nothing open", async () => {
    const [port = 0] = await freePorts(1);

    const opening = openListeners([port], { signal: AbortSignal.abort() });

    await expect(opening).rejects.toMatchObject({ name: "AbortError" });
    await listening(port);
  });

  it("frees the ports when it is closed", async ({ signal }) => {
    const [port = 0] = await freePorts(1);

    (await openListeners([port], { signal })).close();

    await listening(port);
  });
});

/** A process that greets every connection on the socket it inherits as descriptor 3. */
async function echoOn(fd: number, greeting: string): Promise<ChildProcess> {
  const program = `
    const server = require("node:net").createServer((socket) => socket.end("${greeting}"));
    server.listen({ fd: 3 }, () => console.log("ready"));
  `;
  const child = spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit", fd],
  });
  onTestFinished(() => end(child));
  if (child.stdout) await once(child.stdout, "data");
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** What the first connection that is not refused is greeted with. */
async function firstGreetingFrom(port: number): Promise<string> {
  for (;;) {
    try {
      return await greetingFrom(port, "127.0.0.1");
    } catch (error) {
      if (systemCodeOf(error) !== "ECONNREFUSED") throw error;
    }
  }
}

function greetingFrom(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host });
    socket.setEncoding("utf8");
    socket.on("data", (more: string) => {
      text += more;
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

async function listening(port: number, options: object = {}): Promise<Server> {
  const server = createServer();
  server.listen({ port, ...options });
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return server;
}

/** Ports nobody listened on a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listening(0)));
  const ports = servers.map(portOf).sort((a, b) => a - b);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Only root can try: as itself it may open every port, and as somebody else it may not. */
function mayTryPrivilegedPort(): boolean {
  if (process.getuid?.() !== 0) return false;
  const firstPort = readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8");
  return Number(firstPort) > 81;
}
