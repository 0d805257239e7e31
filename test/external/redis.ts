import { createConnection } from "node:net";
import { freePort } from "../../bench/free-port.ts";
import { type Daemon, startDaemon, temporaryDirectory } from "./program.ts";

export interface RunningRedis extends Daemon {
  port: number;
}

/** A Redis of its own that keeps nothing on disk, with further options as on its command line. */
export async function startRedis(
  options: readonly string[] = [],
  port?: number,
): Promise<RunningRedis> {
  const chosen = port ?? (await freePort());
  const directory = await temporaryDirectory("redis");
  const isTls = options.includes("--tls-port");
  const listening = isTls ? ["--port", "0"] : ["--port", `${chosen}`];
  const quiet = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory];
  const own = options.map((option) => (option === "PORT" ? `${chosen}` : option));
  const daemon = await startDaemon("redis-server", [...listening, ...quiet, ...own], () =>
    isListening(chosen),
  );
  return { port: chosen, stop: daemon.stop };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
