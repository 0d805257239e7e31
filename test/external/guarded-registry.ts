import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hash } from "bcryptjs";
import { onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { parseRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { temporaryDirectory } from "./program.ts";

export interface GuardedRegistry {
  /** `127.0.0.1:PORT` */
  host: string;
  /** `http://…` or `https://…` */
  address: string;
  logger: FakeLogger;
}

/** Our image registry with a configuration of its own, for the length of one test. */
export async function openGuarded(auth: string, http = ""): Promise<GuardedRegistry> {
  const rootdirectory = await temporaryDirectory("registry");
  const text = [
    "version: 0.1",
    `storage: {filesystem: {rootdirectory: ${rootdirectory}}, delete: {enabled: true}}`,
    `http: {addr: "127.0.0.1:0"${http}}`,
    auth,
  ].join("\n");
  const logger = new FakeLogger();
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const registry = await openRegistry(config, { clock: systemClock, logger });
  onTestFinished(() => registry.close({ signal: AbortSignal.abort() }));
  return { host: new URL(registry.address).host, address: registry.address, logger };
}

/** Users that have their own name as a password, with `-pw` after it. */
export async function htpasswdFor(...users: string[]): Promise<string> {
  const path = join(await temporaryDirectory("htpasswd"), "htpasswd");
  const lines = await Promise.all(
    users.map(async (user) => `${user}:${await hash(`${user}-pw`, 5)}`),
  );
  await writeFile(path, lines.join("\n"));
  return path;
}
