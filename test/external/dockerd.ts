import { join } from "node:path";
import { onTestFinished } from "vitest";
import { run, startDaemon } from "./program.ts";

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
  const socket = `unix://${join(directory, "docker.sock")}`;
  const docker: Docker = (...args) => run("/usr/bin/docker", ["--host", socket, ...args]);
  const data = join(directory, "data");
  onTestFinished(() => unmount(data));
  await startDaemon(
    "/usr/sbin/dockerd",
    [
      ...["--host", socket, "--pidfile", join(directory, "pid")],
      ...["--data-root", data, "--exec-root", join(directory, "exec")],
      ...["--iptables=false", "--bridge=none"],
      ...options,
    ],
    () =>
      docker("version").then(
        () => true,
        () => false,
      ),
  );
  return docker;
}

/** Where its parent is a shared mount, dockerd mounts its data on itself, and leaves it so. */
async function unmount(directory: string): Promise<void> {
  await run("umount", ["--lazy", "--recursive", directory]).catch(() => {});
}
