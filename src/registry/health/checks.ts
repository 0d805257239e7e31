import { stat } from "node:fs/promises";
import { connect } from "node:net";
import { orAborted, withTimeout } from "../../base/call.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import type { HttpClient } from "../../base/http-client.ts";
import { Secret } from "../../base/secret.ts";
import type { Health } from "../config-health.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type Check, HealthError } from "./check.ts";

export interface CheckParts {
  storage: StorageDriver;
  /** The name of its driver. */
  driver: string;
  http: HttpClient;
}

/** A disk or a network file system that does not answer is as good as one that fails. */
const storageTimeoutMs = 10_000;

/** Every check that `health` asks for. */
export function checksOf(health: Health, { storage, driver, http }: CheckParts): Check[] {
  const { storagedriver } = health;
  return [
    ...(storagedriver?.enabled ? [storageCheck(storagedriver, storage, driver)] : []),
    ...health.file.map(fileCheck),
    ...health.http.map((check) => httpCheck(check, http)),
    ...health.tcp.map(tcpCheck),
  ];
}

type Rhythm = Pick<NonNullable<Health["storagedriver"]>, "interval" | "threshold">;

function rhythmOf({ interval, threshold }: Rhythm) {
  return { intervalMs: interval, threshold };
}

/** That nothing has been stored yet is no failure. */
function storageCheck(rhythm: Rhythm, storage: StorageDriver, driver: string): Check {
  return {
    ...rhythmOf(rhythm),
    name: `storagedriver_${driver}`,
    run: (call) =>
      withTimeout("the storage", storageTimeoutMs, call, async ({ signal }) => {
        await orAborted(storage.stat("/docker", { signal }), signal);
      }),
  };
}

/** The file is a sign to take this registry out of service: it is ill while it is there. */
function fileCheck({ file, ...rhythm }: Health["file"][number]): Check {
  return {
    ...rhythmOf(rhythm),
    name: file,
    async run() {
      const found = await stat(file).catch((error) => {
        if (systemCodeOf(error) === "ENOENT") return undefined;
        throw new HealthError(`the file cannot be looked for: ${messageOf(error)}`, error);
      });
      if (found !== undefined) throw new HealthError("file exists");
    },
  };
}

function httpCheck(
  { uri, headers, statuscode, timeout, ...rhythm }: Health["http"][number],
  http: HttpClient,
): Check {
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [
      name.toLowerCase(),
      new Secret(values.join(", ")),
    ]),
  );
  const { host, pathname } = new URL(uri);
  return {
    ...rhythmOf(rhythm),
    name: withoutCredentials(uri),
    run: (call) =>
      withTimeout(`${host}${pathname}`, timeout, call, async ({ signal }) => {
        const request = { method: "HEAD", url: uri, headers: sent };
        const answer = await http.request(request, { signal });
        answer.discard();
        if (answer.status === statuscode) return;
        throw new HealthError(`downstream service returned unexpected status: ${answer.status}`);
      }),
  };
}

function tcpCheck({ addr, timeout, ...rhythm }: Health["tcp"][number]): Check {
  const colon = addr.lastIndexOf(":");
  const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(addr.slice(colon + 1));
  return {
    ...rhythmOf(rhythm),
    name: addr,
    run: (call) =>
      withTimeout(`the connection to ${addr}`, timeout, call, async ({ signal }) => {
        const socket = connect({ host, port });
        const connected = new Promise<void>((resolve, reject) => {
          socket.once("connect", resolve).once("error", reject);
        });
        try {
          await orAborted(connected, signal);
        } catch (error) {
          signal.throwIfAborted();
          throw new HealthError(`connection to ${addr} failed: ${systemCodeOf(error)}`, error);
        } finally {
          socket.destroy();
        }
      }),
  };
}

function withoutCredentials(uri: string): string {
  const url = new URL(uri);
  if (url.username === "" && url.password === "") return uri;
  url.username = "";
  url.password = "";
  return url.href;
}
