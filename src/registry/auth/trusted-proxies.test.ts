import { expect, it } from "vitest";
import { clientAddressBehind } from "./trusted-proxies.ts";

const proxies = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"];

it.each([
  ["nobody is trusted", [], "10.0.0.1", "203.0.113.1", "10.0.0.1"],
  ["there is no proxy", proxies, "203.0.113.9", undefined, "203.0.113.9"],
  ["a client forges the header", proxies, "203.0.113.9", "192.0.2.1", "203.0.113.9"],
  ["a proxy says so", proxies, "10.0.0.1", "203.0.113.1", "203.0.113.1"],
  ["its socket is of IPv6", proxies, "::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1"],
  ["proxies stand in a row", proxies, "127.0.0.1", "203.0.113.1, 10.2.3.4", "203.0.113.1"],
  [
    "a client forges what the proxy adds to",
    proxies,
    "10.0.0.1",
    "192.0.2.1,203.0.113.1",
    "203.0.113.1",
  ],
  ["the proxy says nonsense", proxies, "10.0.0.1", "unknown", "10.0.0.1"],
  ["all are ours", proxies, "10.0.0.1", "10.0.0.2", "10.0.0.1"],
  ["the network is of IPv6", proxies, "fd00::1", "2001:db8::1", "2001:db8::1"],
  ["a proxy comes by a unix socket", proxies, undefined, "192.0.2.1, 203.0.113.1", "203.0.113.1"],
  ["it is a unix socket", [], undefined, "203.0.113.1", ""],
])("knows the client's address when %s", (_what, trusted, socket, header, expected) => {
  expect(clientAddressBehind(trusted)(socket, header)).toBe(expected);
});
