import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type AtEnd, type Daemon, run, startDaemon } from "./program.ts";

/** Runs a docker command against a dockerd of its own. */
export type Docker = (...args: readonly string[]) => Promise<string>;

/**
 * Starts a dockerd that shares nothing with the machine's; everything it keeps is in `directory`.
 * `options` are further ones of its own.
 */
export async function startDockerd(
  directory: string,
  options: readonly string[] = [],
): Promise<Docker> {
  await daemonIn(directory, ["--bridge=none", ...options], onTestFinished);
  return dockerOf(directory);
}

export interface BridgedDocker {
  /** For `DOCKER_HOST`. */
  host: string;
  docker: Docker;
  /** It ends, and is there again. */
  restart(): Promise<void>;
}

/** As `startDockerd`, with a network: containers have addresses that this host reaches. */
export async function startBridgedDockerd(
  directory: string,
  atEnd: AtEnd,
  options: readonly string[] = [],
): Promise<BridgedDocker> {
  const { bridge, pool } = await addBridge(atEnd);
  const networking = [`--bridge=${bridge}`, `--default-address-pool=base=${pool},size=28`];
  const start = () => daemonIn(directory, [...networking, ...options], atEnd);
  let daemon = await start();
  const restart = async () => {
    await daemon.stop();
    daemon = await start();
  };
  return { host: socketOf(directory), docker: dockerOf(directory), restart };
}

const socketOf = (directory: string) => `unix://${join(directory, "docker.sock")}`;

function dockerOf(directory: string): Docker {
  return (...args) => run("/usr/bin/docker", ["--host", socketOf(directory), ...args]);
}

function daemonIn(directory: string, options: readonly string[], atEnd: AtEnd): Promise<Daemon> {
  const data = join(directory, "data");
  const docker = dockerOf(directory);
  atEnd(() => unmount(data));
  return startDaemon(
    "/usr/sbin/dockerd",
    [
      ...["--host", socketOf(directory), "--pidfile", join(directory, "pid")],
      ...["--data-root", data, "--exec-root", join(directory, "exec")],
      ...["--iptables=false", ...options],
    ],
    () =>
      docker("version").then(
        () => true,
        () => false,
      ),
    {},
    atEnd,
  );
}

/** A bridge that no other engine has: the kernel refuses a name that is taken. */
async function addBridge(atEnd: AtEnd): Promise<{ bridge: string; pool: string }> {
  const first = Math.floor(Math.random() * 256);
  for (let tries = 0; tries < 256; tries++) {
    const number = (first + tries) % 256;
    const bridge = `dewy-${number}`;
    const isOurs = await run("ip", [
      ...["link", "add", bridge],
      // Of its own, or it changes with each container, and those before it do not find it any more.
      ...["address", `02:42:0a:e7:${number.toString(16).padStart(2, "0")}:01`, "type", "bridge"],
    ]).then(
      () => true,
      () => false,
    );
    if (!isOurs) continue;
    atEnd(async () => void (await run("ip", ["link", "delete", bridge])));
    await run("ip", ["address", "add", `10.231.${number}.1/24`, "dev", bridge]);
    await run("ip", ["link", "set", bridge, "up"]);
    return { bridge, pool: `10.232.${number}.0/24` };
  }
  throw new Error("no bridge could be made: ip link add");
}

/** Where its parent is a shared mount, dockerd mounts its data on itself, and leaves it so. */
async function unmount(directory: string): Promise<void> {
  await run("umount", ["--lazy", "--recursive", directory]).catch(() => {});
}
