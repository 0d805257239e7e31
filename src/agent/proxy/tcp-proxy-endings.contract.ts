import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
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
