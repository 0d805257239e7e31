import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { run as startAgent } from "../../bench/stage.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { pushBusybox } from "./busybox-image.ts";
import { startDockerd } from "./dockerd.ts";
import { run, temporaryDirectory } from "./program.ts";
import { program, serveRegistry } from "./served-registry.ts";

export const repository = "acme/app";

/** A dockerd and an image registry of ours, for agents that publish nothing. */
export async function openContainerPlace() {
  const directory = await temporaryDirectory("container");
  await mkdir(join(directory, "registry"));
  const docker = await startDockerd(directory);
  const { address } = await serveRegistry(join(directory, "registry"));
  const { host } = new URL(address);
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const credentials = async () => undefined;
  const client = openOciClient({ host, http, clock: systemClock, credentials });
  const environment = { DOCKER_HOST: `unix://${join(directory, "docker.sock")}` };
  const adminPort = await freePort();

  return {
    ...{ directory, docker, host, adminPort },
    push: (tag: string, script?: string) =>
      pushBusybox(client, { repository, tag, ...(script && { script }) }),
    /** Follows the image, with everything in the directory `app`; it and its containers end with the test. */
    start(app: string, ...options: string[]) {
      const args = [
        ...["container", "--registry", `img://${host}/${repository}`, "-d", join(directory, app)],
        ...["--proxy", "none", "--stop-on-exit", "-i", "1", "-l", "info"],
        ...["--admin-port", String(adminPort), ...options],
      ];
      const agent = startAgent(args, directory, { environment });
      onTestFinished(async () => void (await agent.stop()));
      return agent;
    },
    running: () => docker("ps", "--format", '{{.Label "dewy.version"}}'),
    dewy: (...args: string[]) => run(process.execPath, [program, ...args], environment),
  };
}
