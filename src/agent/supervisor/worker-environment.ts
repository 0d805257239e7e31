import type { Environment } from "../../base/environment.ts";
import { withoutServiceManager } from "../../base/systemd-notify.ts";
import type { Listeners } from "./listeners.ts";

/** The first descriptor that a worker inherits after its standard input, output and error. */
const firstFd = 3;

/**
 * What a worker is told about the sockets it inherits, in two forms: `SERVER_STARTER_PORT`
 * (`8000=3;8001=4`) and `SERVER_STARTER_GENERATION` of Server::Starter, which the original speaks,
 * and `LISTEN_FDS`, `LISTEN_FDNAMES` of sd_listen_fds(3). `LISTEN_PID` is the worker's to know, and
 * is set by `startWorker`. What the agent itself was told by either is not passed on.
 */
export function workerEnvironment(
  environment: Environment,
  sockets: Listeners["sockets"],
  generation: number,
): Environment {
  const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, ...rest } = withoutServiceManager(environment);
  const starter = {
    SERVER_STARTER_PORT: sockets.map(({ port }, index) => `${port}=${firstFd + index}`).join(";"),
    SERVER_STARTER_GENERATION: String(generation),
  };
  if (sockets.length === 0) return { ...rest, ...starter };
  return {
    ...rest,
    ...starter,
    LISTEN_FDS: String(sockets.length),
    LISTEN_FDNAMES: sockets.map(({ port }) => port).join(":"),
  };
}
