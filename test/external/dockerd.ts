import { join } from "node:path";
import { run, startDaemon } from "./program.ts";

/** Runs a docker command against a dockerd of its own. */
export type Docker = (...args: readonly string[]) => Promise<string>;

/** Starts a dockerd that shares nothing with the machine's; everything it keeps is in `directory`. */
export async function startDockerd(directory: string): Promise<Docker> {
  const socket = `unix://${join(directory, "docker.sock")}`;
  const docker: Docker = (...args) => run("/usr/bin/docker", ["--host", socket, ...args]);
  await startDaemon(
    "/usr/sbin/dockerd",
    [
      ...["--host", socket, "--pidfile", join(directory, "pid")],
      ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
      ...["--iptables=false", "--bridge=none"],
    ],
    () =>
      docker("version").then(
        () => true,
        () => false,
      ),
  );
  return docker;
}
