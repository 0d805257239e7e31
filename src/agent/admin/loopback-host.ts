import { BlockList, isIP } from "node:net";

/**
 * Whether a Host header names this machine by its loopback. A page of somebody else's that a browser
 * here was made to believe is at 127.0.0.1 (DNS rebinding) sends its own name.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const [, host = ""] = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(header ?? "") ?? [];
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (name === "localhost") return true;
  const family = isIP(name);
  return family !== 0 && loopback.check(name, family === 6 ? "ipv6" : "ipv4");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
