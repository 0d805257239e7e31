import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BridgedDocker, startBridgedDockerd } from "./dockerd.ts";
import { writePodmanIn } from "./podman.ts";
import { type AtEnd, run, temporaryDirectory } from "./program.ts";

/** A Docker or Podman that shares nothing with the machine's. */
export interface ContainerEngine {
  name: "docker" | "podman";
  /** For a dewy that is to use it. */
  environment: Record<string, string>;
  run(...args: readonly string[]): Promise<string>;
}

export interface DockerEngine extends ContainerEngine, BridgedDocker {
  /** The directory of all that it keeps. */
  data: string;
}

export async function openDocker(
  atEnd: AtEnd,
  options: readonly string[] = [],
  prepare: (data: string) => void = () => {},
): Promise<DockerEngine> {
  const directory = await temporaryDirectory("docker", atEnd);
  const data = join(directory, "data");
  await mkdir(data);
  prepare(data);
  const bridged = await startBridgedDockerd(directory, atEnd, options);
  return {
    name: "docker",
    environment: {
      DOCKER_HOST: bridged.host,
      DOCKER_CONFIG: directory,
      PATH: `/usr/bin:${process.env.PATH}`,
    },
    ...{ run: bridged.docker, data },
    ...bridged,
  };
}

export async function openPodman(atEnd: AtEnd): Promise<ContainerEngine> {
  const directory = await temporaryDirectory("podman", atEnd);
  const path = `${await writePodmanIn(directory)}:${process.env.PATH}`;
  const podman = (...args: readonly string[]) => run(`${directory}/podman`, args, { PATH: path });
  atEnd(async () => void (await podman("rm", "--all", "--force", "--time", "0").catch(() => {})));
  return { name: "podman", environment: { PATH: path }, run: podman };
}
