import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Where clients and the backend are. */
export interface Place {
  /** The backend's address, as clients see it. */
  backend: string;
  /** Of this host, where what stands between is reached. */
  host: string;
  /** What programs of either side are started by. */
  atBackend: readonly string[];
  atClient: readonly string[];
  leave(): Promise<void>;
}

/** Each at the end of a wire of its own. */
const ends = {
  backend: { name: "dewy-bench-b", near: "10.239.77.1", far: "10.239.77.2" },
  client: { name: "dewy-bench-c", near: "10.239.77.5", far: "10.239.77.6" },
};

/** A client that ends first keeps its port for a minute; many clients have many, and here is one. */
const manyConnections = ["net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"];

/**
 * As it is with containers: clients on another host, the backend in a network of its own, and this host
 * between them, which passes on what goes from one to the other. It takes root.
 */
export async function openWiredPlace(): Promise<Place> {
  const leave = async () => {
    for (const { name } of Object.values(ends)) {
      await ip("link", "delete", name).catch(() => {});
      await ip("netns", "delete", name).catch(() => {});
    }
  };
  await leave();
  try {
    for (const end of Object.values(ends)) await lay(end);
    await ip(...within(ends.client), "sysctl", "-q", "-w", ...manyConnections);
  } catch (error) {
    await leave();
    throw error;
  }
  const { backend, client } = ends;
  return {
    ...{ backend: backend.far, host: client.near, leave },
    atBackend: ["ip", ...within(backend)],
    atClient: ["ip", ...within(client)],
  };
}

/** On this host itself. */
export function openLocalPlace(): Place {
  const host = "127.0.0.1";
  return { backend: host, host, atBackend: [], atClient: [], leave: async () => {} };
}

async function lay(end: typeof ends.client): Promise<void> {
  const { name, near, far } = end;
  await ip("netns", "add", name);
  await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
  await ip("address", "add", `${near}/30`, "dev", name);
  await ip("link", "set", name, "up");
  const inside = (...args: readonly string[]) => ip(...within(end), "ip", ...args);
  await inside("address", "add", `${far}/30`, "dev", "eth0");
  await inside("link", "set", "eth0", "up");
  await inside("route", "add", "default", "via", near);
}

const within = ({ name }: { name: string }) => ["netns", "exec", name];

async function ip(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("ip", args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}
