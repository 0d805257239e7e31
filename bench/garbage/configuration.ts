import { writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Configuration {
  directory: string;
  port?: number;
}

/** Writes a configuration that both programs read, but for the part that only ours knows. */
export async function configurationOf({ directory, port = 0 }: Configuration): Promise<string> {
  const file = join(directory, "config.yml");
  await writeFile(
    file,
    textOf(directory, port, "garbagecollect: {grace: 1m, deleteuntagged: true}"),
  );
  return file;
}

export async function peerConfigurationOf(directory: string): Promise<string> {
  const file = join(directory, "peer.yml");
  await writeFile(file, textOf(directory, 0, "uploadpurging: {enabled: false}"));
  return file;
}

function textOf(directory: string, port: number, maintenance: string): string {
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${directory}}, maintenance: {${maintenance}}}
http: {addr: "127.0.0.1:${port}"}
`;
}
