import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../bench/free-port.ts";
import { type Daemon, isAnswering, run, startDaemon, temporaryDirectory } from "./program.ts";

const ours = fileURLToPath(new URL("../../dist/src/registry-main.js", import.meta.url));

/** Which of the two programs does it. */
type Side = "ours" | "theirs";

/** A directory and a config file of Distribution, which either program can serve by. */
export interface Exchange {
  address: string;
  directory: string;
  serve(by: Side): Promise<Daemon>;
  /** What `garbage-collect` says. */
  collect(by: Side, ...options: string[]): Promise<string>;
}

export async function openExchange(distribution = "docker-registry"): Promise<Exchange> {
  const directory = await temporaryDirectory("exchange");
  const file = join(await temporaryDirectory("config"), "config.yml");
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  await writeFile(file, configOf(directory, port));
  const programs: Record<Side, string[]> = {
    ours: [process.execPath, ours],
    theirs: [distribution],
  };

  return {
    address,
    directory,
    serve(by) {
      const [program = "", ...before] = programs[by];
      return startDaemon(program, [...before, "serve", file], () => isAnswering(`${address}/v2/`));
    },
    collect(by, ...options) {
      const [program = "", ...before] = programs[by];
      return run(program, [...before, "garbage-collect", ...options, file]);
    },
  };
}

/** As Debian's package and the image of Distribution have it. */
function configOf(directory: string, port: number): string {
  return `version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: ${directory}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:${port}
  secret: shared
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;
}
