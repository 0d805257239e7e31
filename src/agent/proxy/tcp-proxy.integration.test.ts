import { expect, it } from "vitest";
import { tcpBindings } from "./tcp-bindings.ts";
import { tcpProxyContract } from "./tcp-proxy.contract.ts";

it("has what this Node's sockets are made of", () => {
  expect(tcpBindings).toBeDefined();
});

tcpProxyContract("connections of its own");
