import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./program.ts";

/** Without this, podman asks for limits and cgroups that a container does not have. */
const configuration = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
`;

/** A podman whose images are all in `directory`. */
export async function podmanIn(
  directory: string,
  environment: Record<string, string> = {},
): Promise<(...args: readonly string[]) => Promise<string>> {
  const file = join(directory, "containers.conf");
  await writeFile(file, configuration);
  const options = optionsFor(directory);
  return (...args) =>
    run("podman", [...options, ...args], { CONTAINERS_CONF: file, ...environment });
}

/** A program `podman` in `directory` that keeps everything there; resolves to the directory for PATH. */
export async function writePodmanIn(directory: string): Promise<string> {
  const file = join(directory, "containers.conf");
  await writeFile(file, configuration);
  const program = join(directory, "podman");
  const options = optionsFor(directory).join(" ");
  await writeFile(
    program,
    `#!/bin/sh\nexport CONTAINERS_CONF=${file}\nexec /usr/bin/podman ${options} "$@"\n`,
  );
  await chmod(program, 0o755);
  return directory;
}

function optionsFor(directory: string): string[] {
  const storage = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
  return [...storage, "--storage-driver", "vfs"];
}
