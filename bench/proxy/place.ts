import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Where the backend is, as seen by clients. */
export interface Place {
  /** Its own address. */
  backend: string;
  /** Of this host, where what stands between is reached. */
  host: string;
  /** What its program is started by. */
  command: readonly string[];
  leave(): Promise<void>;
}

const wire = "dewy-bench";
const [near, far] = ["10.239.77.1", "10.239.77.2"];

/** As a container is, in a network of its own at the other end of a wire: which takes root. */
export async function openWiredPlace(): Promise<Place> {
  const leave = async () => {
    await ip("link", "delete", wire).catch(() => {});
    await ip("netns", "delete", wire).catch(() => {});
  };
  await leave();
  const inside = ["netns", "exec", wire];
  try {
    await ip("netns", "add", wire);
    await ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", wire);
    await ip("address", "add", `${near}/30`, "dev", wire);
    await ip("link", "set", wire, "up");
    await ip(...inside, "ip", "address", "add", `${far}/30`, "dev", "eth0");
    await ip(...inside, "ip", "link", "set", "eth0", "up");
  } catch (error) {
    await leave();
    throw error;
  }
  return { backend: far, host: near, command: ["ip", ...inside], leave };
}

/** On this host itself. */
export function openLocalPlace(): Place {
  const host = "127.0.0.1";
  return { backend: host, host, command: [], leave: async () => {} };
}

async function ip(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("ip", args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}
