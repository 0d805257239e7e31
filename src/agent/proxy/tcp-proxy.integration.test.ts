import { expect, it } from "vitest";
import { open, serve, until } from "./backends.fake.ts";
import { tcpBindings } from "./tcp-bindings.ts";
import { tcpProxyContract } from "./tcp-proxy.contract.ts";
import { proxied } from "./tcp-proxy.fake.ts";

it("has what this Node's sockets are made of", () => {
  expect(tcpBindings).toBeDefined();
});

tcpProxyContract("connections of its own");

it("takes no reset for an end, when something was said just before it", async () => {
  const backend = await serve((socket) => {
    socket.once("data", () => {
      socket.write("half of it");
      socket.resetAndDestroy();
    });
  });
  const { port, proxy } = await proxied([backend]);
  const client = await open(port);
  client.resume().write("?");

  await until(() => proxy.loads().get(backend.id)?.total === 1 && proxy.isIdle);

  expect(proxy.statistics()).toMatchObject([{ errors: 1 }]);
});
