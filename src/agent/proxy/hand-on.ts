import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import { openProxyLog, takeLastWords } from "./proxy-log.ts";
import { ProxyError } from "./proxy-protocol.ts";
import type { ProxySettings } from "./proxy-settings.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

const startLimitMs = 20_000;
/** Behind standard input, output and error. */
const firstDescriptor = 3;

/**
 * Starts another process on the sockets of `proxy`, which goes on until that one has taken over.
 *
 * @throws {ProxyError} when it does not start
 */
export async function openHandOn(
  { program, settings: text }: { program: string; settings: string },
  { proxy, own }: { proxy: TcpProxy; own: string },
): Promise<void> {
  const sockets = [...proxy.descriptors()];
  const settings: ProxySettings = {
    ...(JSON.parse(text) as ProxySettings),
    inherited: sockets.map(([port], place) => [port, firstDescriptor + place]),
    predecessor: own,
  };
  await startProxyProcess(
    program,
    settings,
    sockets.map(([, descriptor]) => descriptor),
  );
}

/** In a session of its own, so that who ends the agent's leaves it alone. @throws {ProxyError} when it does not start */
export async function startProxyProcess(
  program: string,
  settings: ProxySettings,
  descriptors: readonly number[] = [],
): Promise<void> {
  const log = await openProxyLog(settings.directory);
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], {
    ...{ cwd: settings.directory, env: {}, detached: true },
    stdio: ["ignore", "pipe", log.fd, ...descriptors],
  });
  const output = child.stdout as Readable;
  const signal = AbortSignal.timeout(startLimitMs);
  try {
    const said = once(output, "data", { signal }).then(([chunk]) => String(chunk));
    const failed = once(child, "error", { signal }).then(([error]) => String(error));
    const ended = once(child, "exit", { signal }).then(
      ([status]) => `it ended with status ${status}`,
    );
    const word = await Promise.race([said, failed, ended]);
    for (const other of [said, failed, ended]) other.catch(() => {});
    if (word.trim() !== "ready") throw new ProxyError("REFUSED", word.trim());
  } catch (error) {
    child.kill("SIGKILL");
    const reason = error instanceof ProxyError ? error.message : messageOf(error);
    const words = await takeLastWords(settings.directory);
    const telling = words.find((line) => /^\w*Error\b/.test(line)) ?? words.at(-1);
    throw unstarted(telling ? `${reason}: ${telling}` : reason, error);
  } finally {
    await log.close();
    output.destroy();
    child.unref();
  }
}

function unstarted(why: string, cause: unknown): ProxyError {
  return new ProxyError("REFUSED", `the proxy could not be started: ${why}`, {
    cause,
    hint: "check that the limits on processes and open files allow another one",
  });
}
