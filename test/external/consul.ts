import { freePort } from "../../bench/free-port.ts";
import { startDaemon } from "./program.ts";

/** With the one token that may do something, where there are access lists. */
export const fill = (text: string): string =>
  text.replace("TOKEN", "0a1b2c3d-0000-4000-8000-00000000d3w7");

/** One server in memory; with access lists, nobody may do anything without the one token. */
export async function startConsul(hasAccessLists = false): Promise<{ port: number }> {
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
  const [port = 0, server, lan, wan] = ports;
  const lists = `acl { enabled = true default_policy = "deny" tokens { master = "${fill("TOKEN")}" } }`;
  await startDaemon(
    "consul",
    [
      ...["agent", "-dev", "-client", "127.0.0.1", "-bind", "127.0.0.1", "-log-level", "err"],
      ...["-http-port", `${port}`, "-dns-port", "-1", "-grpc-port", "-1"],
      ...["-server-port", `${server}`, "-serf-lan-port", `${lan}`, "-serf-wan-port", `${wan}`],
      ...(hasAccessLists ? ["-hcl", lists] : []),
    ],
    () => isElected(port, hasAccessLists),
  );
  return { port };
}

async function isElected(port: number, hasAccessLists: boolean): Promise<boolean> {
  const headers = hasAccessLists ? { "x-consul-token": fill("TOKEN") } : {};
  const url = `http://127.0.0.1:${port}/v1/kv/probe`;
  const probe = (method: string) =>
    fetch(url, { method, headers, signal: AbortSignal.timeout(2_000) });
  try {
    return (await probe("PUT")).ok && (await probe("DELETE")).ok;
  } catch {
    return false;
  }
}
