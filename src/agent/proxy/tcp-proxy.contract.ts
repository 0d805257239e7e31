import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { ask, closed, deadBackend, open, serve, until } from "./backends.fake.ts";
import type { Backend } from "./data-plane.ts";
import { TcpProxy, type TcpProxyOptions } from "./tcp-proxy.ts";

/** What it must do, whatever its connections are made of. */
export function tcpProxyContract(connections: string): void {
  describe(`TcpProxy, with ${connections}`, () => {
    describe("connections", connectionTests);
    describe("declarations", declarationTests);
  });
}

function connectionTests(): void {
  it("brings a request to a backend, and the answer back", async () => {
    const backend = await serve((socket) => socket.end("hello"));
    const { port } = await proxied([backend]);

    expect(await ask(port)).toBe("hello");
  });

  it("lets a client end its own direction and still hears the whole answer", async () => {
    const backend = await serve((socket) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("end", () => setTimeout(() => socket.end(`got ${text}`), 50));
    });
    const { port } = await proxied([backend]);

    expect(await ask(port, "all of it")).toBe("got all of it");
  });

  it("goes to another backend when the first does not accept", async () => {
    const dead = await deadBackend();
    const alive = await serve((socket) => socket.end("alive"));
    const { port, proxy } = await proxied([dead, alive]);

    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)));

    expect(new Set(answers)).toEqual(new Set(["alive"]));
    expect(proxy.loads().get(dead.id)?.failed).toBeGreaterThan(0);
    expect(proxy.statistics()).toMatchObject([{ total: 20, errors: 0 }]);
  });

  it("gives a connection to who has least to do", async () => {
    const backends = await Promise.all([serve(hold), serve(hold), serve(hold)]);
    const { port, proxy } = await proxied(backends);

    for (let count = 0; count < 9; count++) await open(port);

    const each = backends.map(({ id }) => proxy.loads().get(id)?.open);
    expect(each).toEqual([3, 3, 3]);
  });

  it("keeps what is open to a backend that is taken out, until it is cut", async () => {
    const old = await serve((socket) => socket.on("data", (chunk) => socket.write(chunk)));
    const next = await serve((socket) => socket.end("next"));
    const { port, proxy } = await proxied([old]);
    const kept = await open(port);

    await proxy.declare([{ port, backends: [next] }]);

    expect(await ask(port)).toBe("next");
    kept.write("still there");
    expect(String((await once(kept, "data"))[0])).toBe("still there");
    const broken = closed(kept);
    expect(proxy.cut(old.id)).toBe(1);
    await broken;
    await until(() => !proxy.loads().has(old.id));
  });

  it("breaks a client off when its backend breaks off, instead of ending the answer", async () => {
    const backend = await serve((socket) => {
      socket.write("half of ");
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    const { port } = await proxied([backend]);

    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("closes a connection on which nobody says anything", async () => {
    const backend = await serve(hold);
    const { port, proxy } = await proxied([backend], { idleMs: 100 });

    const socket = await open(port);

    await closed(socket);
    await until(() => proxy.isIdle);
    expect(proxy.statistics()).toMatchObject([{ errors: 0 }]);
  });

  it("holds a sender back whose reader is slow", async () => {
    const total = 64 * 1024 * 1024;
    const backend = await serve((socket) => socket.end(Buffer.alloc(total)));
    const { port } = await proxied([backend]);
    const before = process.memoryUsage().arrayBuffers;
    const slow = await open(port);
    slow.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(total * 1.5);
    let bytes = 0;
    for await (const chunk of slow) bytes += chunk.length;
    expect(bytes).toBe(total);
  });

  it("mixes up nothing of answers that wait for their readers", async () => {
    const held = new Set<number>();
    let count = 0;
    const backend = await serve((socket) => {
      const name = ++count;
      const piece = Buffer.alloc(40_000, name);
      let left = 400;
      const say = () => {
        if (left-- === 0) return void socket.end(() => held.add(name));
        if (socket.write(piece)) return void setImmediate(say);
        held.add(name);
        socket.once("drain", say);
      };
      say();
    });
    const { port } = await proxied([backend]);
    const readers = await Promise.all(Array.from({ length: 6 }, () => open(port)));
    await until(() => held.size === readers.length);

    const heard = await Promise.all(readers.map(allFrom));

    expect(heard.map(({ bytes }) => bytes)).toEqual(readers.map(() => 16_000_000));
    expect(heard.flatMap(({ names }) => [...names]).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("reaches a backend by IPv6, and by a name", async () => {
    const { port: behind, id } = await serve((socket) => socket.end("hello"));

    for (const host of ["::1", "localhost"]) {
      const { port } = await proxied([{ id, host, port: behind }]);
      expect(await ask(port)).toBe("hello");
    }
  });

  it("mixes up, loses and keeps nothing of clients that do what they like", async () => {
    const backend = await serve(sayAll);
    const { port, proxy } = await proxied([backend]);
    const clients = Array.from({ length: 400 }, (_, number) => ({
      bytes: Buffer.alloc((number * 7_919) % 200_000, number),
      leavesEarly: number % 7 === 0,
      reads: number % 5 === 0 ? "slowly" : "at once",
    }));

    const heard = await Promise.all(
      clients.map(async ({ bytes, leavesEarly, reads }) => {
        const socket = await open(port);
        socket.end(bytes);
        if (!leavesEarly) return await lengthOf(socket, reads === "slowly");
        socket.resetAndDestroy();
        return 0;
      }),
    );

    const expected = clients.map(({ bytes, leavesEarly }) => (leavesEarly ? 0 : bytes.length));
    expect(heard).toEqual(expected);
    await until(() => proxy.isIdle);
    await until(() => proxy.loads().get(backend.id)?.open === 0);
  });

  it("refuses connections over its limit, and takes some again", async () => {
    const backend = await serve(hold);
    const { port, proxy } = await proxied([backend], { maximumConnections: 2 });
    const [first] = [await open(port), await open(port)];
    await until(() => proxy.statistics()[0]?.active === 2);

    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNRESET" });
    first.resetAndDestroy();
    await until(() => proxy.statistics()[0]?.active === 1);
    await open(port);
    await until(() => proxy.statistics()[0]?.active === 2);

    expect(proxy.statistics()).toMatchObject([{ refused: 1 }]);
  });

  it("says whom a connection is from, when it is to", async () => {
    const backend = await serve((socket) => {
      socket.once("data", (chunk) => socket.end(chunk.subarray(0, 12).toString("hex")));
    });
    const { port } = await proxied([backend], { proxyProtocol: true });

    expect(await ask(port, "x")).toBe("0d0a0d0a000d0a515549540a");
  });
}

function declarationTests(): void {
  it("does not listen on a port that nobody is behind", async () => {
    const backend = await serve(hold);
    const { port, proxy } = await proxied([backend]);

    await proxy.declare([{ port, backends: [] }]);

    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("changes nothing when a port cannot be had", async () => {
    const backend = await serve((socket) => socket.end("as before"));
    const { port, proxy } = await proxied([backend]);
    const routes = [port, backend.port].map((each) => ({ port: each, backends: [backend] }));

    await expect(proxy.declare(routes)).rejects.toMatchObject({ code: "EADDRINUSE" });

    expect(await ask(port)).toBe("as before");
    expect(proxy.routes()).toHaveLength(1);
  });
}

/** How much it says, and what its bytes are; 0 beside them where they are of several kinds. */
async function allFrom(socket: Socket): Promise<{ bytes: number; names: Set<number> }> {
  const names = new Set<number>();
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    names.add(chunk[0] ?? 0);
    if (!chunk.equals(Buffer.alloc(chunk.length, chunk[0]))) names.add(0);
  }
  return { bytes, names };
}

/** Once the other side has ended. */
function sayAll(socket: Socket): void {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("end", () => socket.end(Buffer.concat(chunks)));
}

/** Of bytes that are all the same; otherwise there is none. */
async function lengthOf(socket: Socket, slowly: boolean): Promise<number> {
  let length = 0;
  let first: number | undefined;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    first ??= chunk[0];
    if (!chunk.equals(Buffer.alloc(chunk.length, first))) return Number.NaN;
    length += chunk.length;
    if (slowly) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return length;
}

const hold = (socket: Socket): void => void socket.resume();

async function proxied(backends: readonly Backend[], options: Partial<TcpProxyOptions> = {}) {
  const own = { idleMs: 0, proxyProtocol: false, maximumConnections: 100, ...options };
  const proxy = new TcpProxy(own);
  const port = await freePort();
  onTestFinished(() => {
    for (const { id } of backends) proxy.cut(id);
    proxy.stopAccepting();
  });
  await proxy.declare([{ port, backends }]);
  return { proxy, port };
}
