import { once } from "node:events";
import { connect, type Socket } from "node:net";
import * as v from "valibot";
import { type Call, withTimeout } from "../../base/call.ts";
import { DewyError, messageOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { openSocketPath } from "../../base/socket-path.ts";

const refusals = ["PORT_TAKEN", "PORT_FORBIDDEN", "REFUSED"] as const;

/**
 * `NO_PROXY`: nobody answers. `PORT_TAKEN`: somebody else listens on a port. `PORT_FORBIDDEN`: the
 * system lets nobody listen there but root. `REFUSED`: it said no.
 */
export class ProxyError extends DewyError<"NO_PROXY" | (typeof refusals)[number]> {}

const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const Backend = v.object({ id: v.string(), host: v.string(), port: Port });
const Route = v.object({ port: Port, backends: v.array(Backend) });

/** What an agent says to the process that carries its traffic: a line of JSON, answered by one. */
export const ProxyRequest = v.variant("do", [
  /** Stays: the process knows by it that there is an agent. */
  v.object({ do: v.literal("attach") }),
  v.object({ do: v.literal("declare"), routes: v.array(Route) }),
  /** Whether these ports can be had. */
  v.object({ do: v.literal("check"), ports: v.array(Port) }),
  v.object({ do: v.literal("loads") }),
  v.object({ do: v.literal("cut"), id: v.string() }),
  v.object({ do: v.literal("statistics") }),
  /** Starts a process of another program or with other options, on the same sockets. */
  v.object({ do: v.literal("hand on"), program: v.string(), settings: v.string() }),
  /** Takes no new connections, and ends when those there are have ended. */
  v.object({ do: v.literal("retire") }),
  v.object({ do: v.literal("end") }),
]);
export type ProxyRequest = v.InferOutput<typeof ProxyRequest>;

const Load = v.object({ open: v.number(), total: v.number(), failed: v.number() });
const Distribution = v.object({
  ...{ count: v.number(), sum: v.number(), buckets: v.array(v.number()) },
});
const Statistics = v.object({
  ...{ port: Port, backends: v.number(), active: v.number(), total: v.number() },
  ...{ errors: v.number(), refused: v.number(), bytes: v.optional(v.number()) },
  ...{ connects: v.optional(Distribution), durations: v.optional(Distribution) },
});

export const ProxyAnswer = v.object({
  error: v.optional(v.object({ code: v.picklist(refusals), message: v.string() })),
  /** To `attach`: which process it is, and what it was started with. */
  pid: v.optional(v.number()),
  settings: v.optional(v.string()),
  loads: v.optional(v.record(v.string(), Load)),
  statistics: v.optional(v.array(Statistics)),
  cut: v.optional(v.number()),
});
export type ProxyAnswer = v.InferOutput<typeof ProxyAnswer>;

export const longestLine = 4 * 1024 * 1024;
const answerLimitMs = 10_000;

/** @throws {ProxyError} */
export async function askProxy(
  path: string,
  request: ProxyRequest,
  call: Call,
): Promise<ProxyAnswer> {
  const { answer, socket } = await asked(path, request, call);
  socket.destroy();
  return answer;
}

/** As `askProxy`, and the connection stays. */
export async function asked(path: string, request: ProxyRequest, call: Call) {
  return withTimeout("the proxy", answerLimitMs, call, async (limited) => {
    const socket = await connected(path, limited);
    const abort = () => socket.destroy();
    limited.signal.addEventListener("abort", abort, { once: true });
    try {
      socket.write(`${JSON.stringify(request)}\n`);
      const answer = await firstLine(socket);
      if (answer.error) throw new ProxyError(answer.error.code, answer.error.message);
      return { answer, socket };
    } catch (error) {
      socket.destroy();
      limited.signal.throwIfAborted();
      throw error;
    } finally {
      limited.signal.removeEventListener("abort", abort);
    }
  });
}

async function connected(path: string, { signal }: Call): Promise<Socket> {
  const place = await openSocketPath(path).catch(() => undefined);
  if (!place) throw new ProxyError("NO_PROXY", `there is no socket ${path}`);
  const socket = connect(place.path);
  socket.on("error", () => {}); // told by whoever waits for it
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (cause) {
    socket.destroy();
    signal.throwIfAborted();
    throw new ProxyError("NO_PROXY", `nobody answers at ${path}: ${messageOf(cause)}`, { cause });
  } finally {
    await place.close();
  }
}

/** The socket is left open behind it. */
async function firstLine(socket: Socket): Promise<ProxyAnswer> {
  const lines = linesOf(socket.iterator({ destroyOnReturn: false }), longestLine);
  try {
    const { value } = await lines.next();
    return v.parse(ProxyAnswer, JSON.parse(String(value ?? "")));
  } catch (cause) {
    throw new ProxyError("NO_PROXY", "the proxy broke off", { cause });
  } finally {
    await lines.return(undefined);
  }
}
