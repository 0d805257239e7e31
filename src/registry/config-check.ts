import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { DewyError, lineOf, messageOf, systemCodeOf } from "../base/errors.ts";
import { checkMayWrite } from "../base/may-write.ts";
import { checkCertificateStore } from "./acme/certificate-store.ts";
import { checkAuthFiles } from "./auth/auth-files.ts";
import type { RegistryConfig } from "./config.ts";
import type { Http } from "./config-http.ts";
import type { Look, Mistake } from "./config-mistake.ts";
import { queueDirectoryOf } from "./events/queue-place.ts";
import { checkSocketPath } from "./server-listen.ts";
import { readCertificates, readContext } from "./server-tls.ts";
import { checkStorage } from "./storage/index.ts";

/**
 * What a start would trip over, as far as files and directories tell: nothing is listened on,
 * nobody is asked, and nothing is changed.
 */
export async function mistakesIn(
  config: RegistryConfig,
  parts: { clock: Clock; environment: Environment },
): Promise<Mistake[]> {
  const mistakes: Mistake[] = [];
  const look: Look = async (path, work) => {
    const sentences = await work().catch((error: unknown) => [sentenceOf(error)]);
    mistakes.push(...sentences.map((sentence) => mistakeOf(path, sentence)));
  };
  await look("storage.filesystem.rootdirectory", () => storageMistakes(config));
  if (config.auth) await checkAuthFiles(config.auth, parts, look);
  if (config.http.tls) await look("http.tls", () => certificateMistakes(config.http, parts.clock));
  if (config.http.net === "unix") await look("http.addr", () => socketMistakes(config.http));
  const queue = config.notifications.endpoints.some(({ disabled }) => !disabled)
    ? queueDirectoryOf(config)
    : undefined;
  if (queue) await look("notifications.queue.directory", () => directoryMistakes(queue));
  return mistakes;
}

/** Where a message begins with the key that it is about, that is the place. */
function mistakeOf(path: string, sentence: string): Mistake {
  const [, named = path, rest = sentence] = /^(http\.[\w.]+): (.*)$/s.exec(sentence) ?? [];
  return { path: named.split("."), sentence: rest };
}

function sentenceOf(error: unknown): string {
  if (error instanceof DewyError) return lineOf(error);
  if (systemCodeOf(error) !== undefined) return messageOf(error);
  throw error;
}

async function storageMistakes({ storage }: RegistryConfig): Promise<string[]> {
  const access = storage.maintenance.readonly.enabled ? "read" : "write";
  await checkStorage(storage.choice, { access });
  return [];
}

async function certificateMistakes({ tls }: Http, clock: Clock): Promise<string[]> {
  if (tls === undefined) return [];
  if (!("certificate" in tls)) {
    await checkCertificateStore(tls.letsencrypt.cachefile);
    await readContext(tls);
    return [];
  }
  const { validUntil } = await readCertificates(tls);
  if (validUntil > clock.now()) return [];
  return [`http.tls.certificate: it has expired at ${validUntil.toISOString()}`];
}

async function socketMistakes({ addr }: Http): Promise<string[]> {
  checkSocketPath(addr);
  const directory = dirname(addr);
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) return [`the directory ${directory} is not there: make it`];
  return await directoryMistakes(directory);
}

async function directoryMistakes(directory: string): Promise<string[]> {
  try {
    await checkMayWrite(directory);
    return [];
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    return [`the directory ${directory} cannot be written to: ${code}`];
  }
}
