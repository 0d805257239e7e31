import { BlockList, isIP } from "node:net";
import type { Environment } from "./environment.ts";
import { ConfigError } from "./errors.ts";

/**
 * The proxy for `url` by `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, lower case first, as curl and
 * Go read them; `undefined` for none. This machine itself is never asked for through a proxy.
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const proxy = proxyIn(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY", environment);
  if (proxy === undefined || isExempt(url, setting("NO_PROXY", environment))) return undefined;
  return proxy;
}

/** @throws {ConfigError} when a variable does not hold what it should, for a start to find out */
export function checkProxies(environment: Environment): void {
  for (const variable of ["HTTP_PROXY", "HTTPS_PROXY"]) proxyIn(variable, environment);
}

function proxyIn(variable: string, environment: Environment): URL | undefined {
  const text = setting(variable, environment);
  if (text === "") return undefined;
  const href = text.includes("://") ? text : `http://${text}`;
  if (/^https?:/.test(href) && URL.canParse(href) && hasReadableUser(new URL(href))) {
    return new URL(href);
  }
  throw new ConfigError(`${variable}: this is not the URL of an HTTP proxy`, {
    hint: `set ${variable} to a URL such as http://proxy.example.com:3128, or unset it`,
  });
}

function setting(name: string, environment: Environment): string {
  return environment[name.toLowerCase()] || environment[name] || "";
}

function hasReadableUser({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false; // a % that stands for itself has to be written %25
  }
}

function isExempt(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || loopback.check(host, isIP(host) === 6 ? "ipv6" : "ipv4")) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => covers(entry.toLowerCase(), host, port));
}

/** `*`, `host`, `.domain`, `*.domain`, `host:port`, an address, or a network such as 10.0.0.0/8. */
function covers(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInNetwork(entry, host);
  if (isIP(entry) !== 0) return entry === host;
  const [, name = "", onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const domain = name.replace(/^\*?\./, "").replace(/^\[|\]$/g, "");
  return host === domain || host.endsWith(`.${domain}`);
}

function isInNetwork(entry: string, host: string): boolean {
  const [address = "", bits = ""] = entry.split("/");
  const family = isIP(address);
  const prefix = Number(bits);
  if (family === 0 || family !== isIP(host) || !/^\d+$/.test(bits)) return false;
  if (prefix > (family === 6 ? 128 : 32)) return false;
  const network = new BlockList();
  network.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
  return network.check(host, family === 6 ? "ipv6" : "ipv4");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
