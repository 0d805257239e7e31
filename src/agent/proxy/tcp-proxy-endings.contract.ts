import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { closed, open, serve, until } from "./backends.fake.ts";
import { proxied } from "./tcp-proxy.fake.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** More than all the buffers between two ends take. */
const tooMuch = 64 * 1024 * 1024;

/** How connections end that do not end well. */
export function endingTests(): void {
  it("breaks a client off whose backend is cut while it is being connected to", async () => {
    const backend = await serve((socket) => void socket.resume());
    const { port, proxy } = await proxied([backend]);
    const client = await open(port);
    const broken = closed(client);
    while (proxy.loads().get(backend.id)?.open !== 1) await nextTurn();

    expect(proxy.cut(backend.id)).toBe(1);

    await broken;
    await until(() => proxy.isIdle);
  });

  it("leaves no backend waiting whose client has gone, though it reads nothing", async () => {
    let said: Socket | undefined;
    const backend = await serve((socket) => {
      said = socket.pause();
    });
    const { port, proxy } = await proxied([backend]);
    const client = await open(port);
    client.write(Buffer.alloc(tooMuch));
    await untilStill(proxy);

    client.resetAndDestroy();

    await until(() => {
      said?.write("the client has to be written to, to be missed");
      return proxy.isIdle;
    });
    expect(proxy.loads().get(backend.id)?.open).toBe(0);
  });

  it("lets a client go whose backend has ended, and is cut before the client ends", async () => {
    const backend = await serve((socket) => void socket.resume().end("all"));
    const { port, proxy } = await proxied([backend]);
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void client.destroy());
    await once(client.resume(), "end");

    expect(proxy.cut(backend.id)).toBe(1);

    await until(() => proxy.isIdle);
  });

  it("lets a client go whose backend has said all and broken off, though it ends nothing", async () => {
    let said: Socket | undefined;
    const backend = await serve((socket) => {
      said = socket.pause();
      socket.end("all");
    });
    const { port, proxy } = await proxied([backend]);
    const { client, heard } = await waiting(port);
    await once(client, "end");

    said?.resetAndDestroy();

    await until(() => proxy.isIdle);
    expect(heard()).toBe("all");
  });

  it("lets a client go whose backend has closed, and hears nothing of what it says then", async () => {
    const backend = await serve((socket) => void socket.end("all", () => socket.destroy()));
    const { port, proxy } = await proxied([backend]);
    const { client } = await waiting(port);
    await once(client, "end");

    client.write("more");

    await until(() => proxy.isIdle);
    expect(proxy.loads().get(backend.id)?.open).toBe(0);
  });

  it("keeps a client that has yet to read what its backend said before it broke off", async () => {
    const backend = await serve((socket) => {
      socket.write(Buffer.alloc(tooMuch));
      socket.once("data", () => socket.resetAndDestroy());
    });
    const { port, proxy } = await proxied([backend]);
    const client = await open(port);
    client.pause();
    await untilStill(proxy);
    await looked(proxy);
    await untilStill(proxy);
    client.write("break off");
    await looked(proxy);

    expect(proxy.loads().get(backend.id)?.open).toBe(1);
    await closed(client);
    await until(() => proxy.isIdle);
  });

  it("tells a backend of a client that said all, and is gone before the answer", async () => {
    let asked = false;
    const backend = await serve((socket) => {
      socket.resume().on("end", () => {
        asked = true;
      });
    });
    const { port, proxy } = await proxied([backend]);
    const { client } = await waiting(port);
    client.end("a question");
    await until(() => asked);

    client.resetAndDestroy();

    await until(() => proxy.isIdle);
  });

  it("tells a backend that neither reads nor says anything of a client that is gone", async () => {
    const backend = await serve((socket) => void socket.pause());
    const { port, proxy } = await proxied([backend]);
    const client = await open(port);
    client.write(Buffer.alloc(tooMuch));
    await untilStill(proxy);

    client.resetAndDestroy();

    await until(() => proxy.isIdle);
  });

  it("brings a backend that has ended all that a client said before it ended too", async () => {
    let said: Socket | undefined;
    let bytes = 0;
    const backend = await serve((socket) => {
      said = socket.pause();
      socket.end("the answer comes first");
    });
    const { port, proxy } = await proxied([backend]);
    const { client } = await waiting(port);
    await once(client, "end");
    client.end(Buffer.alloc(tooMuch));
    await untilStill(proxy);
    await looked(proxy);

    said?.resume().on("data", (chunk) => {
      bytes += chunk.length;
    });

    await until(() => said?.destroyed === true);
    expect(bytes).toBe(tooMuch);
    await until(() => proxy.isIdle);
  });

  it("resets who was told half of something when it gives up", async () => {
    const backend = await serve((socket) => socket.end(Buffer.alloc(tooMuch)));
    const { port, proxy } = await proxied([backend], { idleMs: 200 });
    const client = await open(port);
    client.pause();
    await until(() => proxy.statistics()[0]?.total === 1);

    await until(() => proxy.isIdle);

    // An end would wait behind what is not read; a reset takes the name with it.
    expect(client.remoteAddress).toBeUndefined();
  });

  it("says nothing for a client that has gone before its name was asked", async () => {
    let heard = 0;
    const backend = await serve((socket) => {
      socket.on("data", (chunk) => {
        heard += chunk.length;
      });
      socket.on("end", () => socket.end());
    });
    const { port, proxy } = await proxied([backend], { proxyProtocol: true });
    const client = await open(port);
    client.write("a request of nobody");
    client.resetAndDestroy();

    await until(() => proxy.loads().get(backend.id)?.total === 1 && proxy.isIdle);

    expect(heard).toBe(0);
  });

  it("has no sockets to hand on once it takes no more connections", async () => {
    const { proxy } = await proxied([await serve((socket) => void socket.resume())]);
    expect(proxy.descriptors().size).toBe(1);

    proxy.stopAccepting();

    expect(proxy.descriptors().size).toBe(0);
  });
}

/** A client that leaves its own direction open when the other has ended. */
async function waiting(port: number): Promise<{ client: Socket; heard: () => string }> {
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  client.on("error", () => {});
  let text = "";
  client.on("data", (chunk) => {
    text += chunk;
  });
  await once(client, "connect");
  return { client, heard: () => text };
}

/** It has looked at all its connections: nothing else tells it of a backend that is gone after its end. */
async function looked(proxy: TcpProxy): Promise<void> {
  const gone = await serve((socket) => {
    socket.pause().end("all", () => socket.resetAndDestroy());
  });
  const port = await freePort();
  await proxy.declare([...proxy.routes(), { port, backends: [gone] }]);
  const { client } = await waiting(port);
  await once(client, "end");
  await until(() => proxy.loads().get(gone.id)?.open === 0);
}

/** Something has moved, and does so no more. */
async function untilStill(proxy: TcpProxy): Promise<void> {
  let before = 0;
  await until(() => {
    const bytes = proxy.statistics()[0]?.bytes ?? 0;
    const isStill = bytes > 0 && bytes === before;
    before = bytes;
    return isStill;
  });
}
