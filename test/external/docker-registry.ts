import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Daemon, isAnswering, startDaemon, temporaryDirectory } from "./program.ts";

/** Starts Debian's Distribution 2.8.2 on `port`, with its files in `directory`. */
export async function startDockerRegistry(directory: string, port: number): Promise<Daemon> {
  const file = join(await temporaryDirectory("distribution"), "config.yml");
  await writeFile(
    file,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${directory}}, delete: {enabled: true}}
http: {addr: "127.0.0.1:${port}"}
`,
  );
  return startDaemon("docker-registry", ["serve", file], () =>
    isAnswering(`http://127.0.0.1:${port}/v2/`),
  );
}
