import { expect, it } from "vitest";
import { proxyHeader } from "./proxy-header.ts";

const signature = "0d0a0d0a000d0a515549540a";

it.each([
  ["203.0.113.7", "198.51.100.1", "2111000c" + "cb007107" + "c6336401" + "c3500050"],
  ["::ffff:203.0.113.7", "::ffff:198.51.100.1", "2111000c" + "cb007107" + "c6336401" + "c3500050"],
  [
    "2001:db8::1",
    "fe80::2%eth0",
    "21210024" +
      "20010db8000000000000000000000001" +
      "fe800000000000000000000000000002" +
      "c3500050",
  ],
])("names a client at %s of a socket at %s", (remoteAddress, localAddress, rest) => {
  const header = proxyHeader({ remoteAddress, localAddress, remotePort: 50_000, localPort: 80 });

  expect(header.toString("hex")).toBe(signature + rest);
});
