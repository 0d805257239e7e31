import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";
import type { DataPlane, Route } from "./data-plane.ts";
import { startProxyProcess } from "./hand-on.ts";
import { connectionLimit } from "./own-host.ts";
import { takeLastWords } from "./proxy-log.ts";
import { proxySocket } from "./proxy-process.ts";
import { asked, askProxy, ProxyError, type ProxyRequest } from "./proxy-protocol.ts";
import { fingerprintOf, type ProxySettings } from "./proxy-settings.ts";

export interface BuiltInOptions {
  /** Private to the agent, and kept from one to the next. */
  directory: string;
  ports: readonly number[];
  idleMs: number;
  proxyProtocol: boolean;
  /** At a time; without it, what the limit of open files allows. */
  maximumConnections?: number | undefined;
  version: string;
  /** The file that is run; that of this installation unless told. */
  program?: string;
  /** After how long without an agent, a connection and a backend the process ends. */
  lonelyMs?: number;
}

const beforeRestartMs = 100;
const endLimitMs = 5_000;

/**
 * A process of its own that carries the traffic: an agent that ends, is killed or is replaced leaves
 * it as it is. One of another version of Dewy, or with other settings, hands its sockets on to a new
 * one, and ends with its last connection. One that was killed is replaced at once.
 *
 * @throws {ConfigError} for a port that cannot be had
 */
export async function openBuiltIn(
  { directory, ports, program = installedProgram(), ...options }: BuiltInOptions,
  { logger, clock }: { logger: Logger; clock: Clock },
  call: Call,
): Promise<DataPlane> {
  await refuseTooMany(options.maximumConnections);
  const path = join(directory, proxySocket);
  const settings: ProxySettings = { directory, ...options };
  const closing = new AbortController();
  const alone = openTurns();
  let routes: readonly Route[] | undefined;
  let held = await attached(call);
  try {
    await ask({ do: "check", ports: [...ports] }, call);
  } catch (error) {
    await endUnused();
    throw refused(error);
  }
  watch(held);

  return {
    name: "built-in",
    reach: "published",

    declare: (next, each) =>
      alone(async () => {
        await ask({ do: "declare", routes: copied(next) }, each);
        routes = next;
      }),

    async loads(each) {
      const { loads = {} } = await ask({ do: "loads" }, each);
      return new Map(Object.entries(loads));
    },

    async statistics(each) {
      return (await ask({ do: "statistics" }, each)).statistics ?? [];
    },

    async cut(id, each) {
      return (await ask({ do: "cut", id }, each)).cut ?? 0;
    },

    async close({ keep }) {
      closing.abort();
      if (!keep) await end();
      held.destroy();
    },
  };

  async function end(): Promise<void> {
    const last = { signal: AbortSignal.timeout(endLimitMs) };
    await askProxy(path, { do: "end" }, last).catch(() => {});
  }

  /** It may be what carries the traffic since long before this agent. */
  async function endUnused(): Promise<void> {
    const answer = await ask({ do: "statistics" }, call).catch(() => undefined);
    if (!answer?.statistics?.length) await end();
    held.destroy();
  }

  function ask(request: ProxyRequest, each: Call) {
    return askProxy(path, request, each);
  }

  /** To the process that is there, to one it hands on to, or to one that is started. */
  async function attached(each: Call): Promise<Socket> {
    const there = await asked(path, { do: "attach" }, each).catch((error) => {
      if (error instanceof ProxyError && error.code === "NO_PROXY") return undefined;
      throw error;
    });
    if (there?.answer.settings === fingerprintOf(settings)) return there.socket;
    if (there) {
      logger.info("The proxy of another version or with other settings hands its ports on");
      await ask({ do: "hand on", program, settings: JSON.stringify(settings) }, each);
      there.socket.destroy();
    } else await startProxyProcess(program, settings);
    return (await asked(path, { do: "attach" }, each)).socket;
  }

  function watch(socket: Socket): void {
    socket.resume();
    socket.once("close", () => {
      if (!closing.signal.aborted) void alone(replace);
    });
  }

  async function replace(): Promise<void> {
    const lastWords = (await takeLastWords(directory)).join("\n");
    logger.error("The proxy has ended, and another one takes its place", {
      ...(lastWords && { lastWords }),
    });
    while (!closing.signal.aborted) {
      try {
        held = await attached(closing);
        if (routes) await ask({ do: "declare", routes: copied(routes) }, closing);
        watch(held);
        return;
      } catch (error) {
        if (isEchoOf(closing.signal, error)) return;
        logger.error("The proxy could not be started", { error });
        await clock.sleep(beforeRestartMs, closing).catch(() => {});
      }
    }
  }
}

function copied(routes: readonly Route[]) {
  return routes.map(({ port, backends }) => ({ port, backends: [...backends] }));
}

/** Beside what is built; run from its source, as tests do, the built one of the same tree. */
function installedProgram(): string {
  const here = fileURLToPath(new URL("../../proxy-main.js", import.meta.url));
  if (existsSync(here)) return here;
  return fileURLToPath(new URL("../../../dist/src/proxy-main.js", import.meta.url));
}

async function refuseTooMany(maximumConnections = 0): Promise<void> {
  const most = await connectionLimit();
  if (maximumConnections <= most) return;
  throw new ConfigError(
    `--max-connections ${maximumConnections}: the limit of open files allows ${most}`,
    { hint: `raise it (LimitNOFILE= in a unit, or ulimit -Hn), or ask for at most ${most}` },
  );
}

const hints: Partial<Record<ProxyError["code"], string>> = {
  PORT_TAKEN: "stop what listens there, or name another port",
  PORT_FORBIDDEN: "name a port from 1024 on, or allow it: AmbientCapabilities=CAP_NET_BIND_SERVICE",
};

function refused(error: unknown): unknown {
  const hint = error instanceof ProxyError ? hints[error.code] : undefined;
  if (!hint) return error;
  return new ConfigError(`--port: ${messageOf(error)}`, { cause: error, hint });
}
