import { vi } from "vitest";
import { tcpProxyContract } from "./tcp-proxy.contract.ts";

vi.mock("./tcp-bindings.ts", () => ({ tcpBindings: undefined }));

tcpProxyContract("sockets of a Node that keeps its own to itself");
