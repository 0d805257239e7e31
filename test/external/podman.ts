import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./program.ts";

/** Without this, podman asks for limits and cgroups that a container does not have. */
const configuration = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
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
  const storage = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
  const options = [...storage, "--storage-driver", "vfs"];
  return (...args) =>
    run("podman", [...options, ...args], { CONTAINERS_CONF: file, ...environment });
}
