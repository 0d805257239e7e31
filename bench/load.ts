import { Agent, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";

export interface LoadOptions {
  url: string;
  /** Clients that keep their connection, and clients that open a new one for each request. */
  keepAlive: number;
  fresh: number;
  /** How long each of them rests between two requests. */
  restMs?: number;
  /** Told of each request that fails, and with what. */
  failed?(how: string): void;
}

export interface LoadResult {
  requests: number;
  /** What each failed request failed with. */
  failures: string[];
  /** How many requests each distinct answer was given to. */
  answers: Map<string, number>;
  /** When each was given last, by `Date.now()`. */
  lastSeen: Map<string, number>;
}

/** Asks for `url` over and over until it is told to stop. */
export function startLoad({ url, keepAlive, fresh, restMs = 0, failed }: LoadOptions): {
  soFar: LoadResult;
  stop(): Promise<LoadResult>;
} {
  const soFar: LoadResult = { requests: 0, failures: [], answers: new Map(), lastSeen: new Map() };
  let stopped = false;
  const clients = [
    ...Array.from({ length: keepAlive }, () => new Agent({ keepAlive: true, maxSockets: 1 })),
    ...Array.from({ length: fresh }, () => new Agent({ keepAlive: false })),
  ];
  const loops = clients.map(async (agent) => {
    while (!stopped) {
      const how = await askOnce(url, agent, soFar);
      if (how !== undefined) failed?.(how);
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
    agent.destroy();
  });
  return {
    soFar,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return soFar;
    },
  };
}

/** @returns what it failed with */
async function askOnce(url: string, agent: Agent, result: LoadResult): Promise<string | undefined> {
  result.requests++;
  try {
    const { status, body } = await ask(url, { agent });
    if (status !== 200) return failure(result, `status ${status}`);
    result.answers.set(body, (result.answers.get(body) ?? 0) + 1);
    result.lastSeen.set(body, Date.now());
    return undefined;
  } catch (error) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return failure(result, String(error));
  }
}

function failure({ failures }: LoadResult, how: string): string {
  failures.push(how);
  return how;
}

/** One GET by a client that says at once that it will say no more, as some do by shutdown(2). */
export function askHalfClosing(url: string): Promise<string> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.setEncoding("utf8");
    socket.setTimeout(60_000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (text) => {
      answer += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.end(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`,
    );
  });
}

/** One GET, read to its end. */
export function ask(
  url: string,
  options: { agent?: Agent; timeoutMs?: number } = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: options.agent ?? false }, (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: body.trim() }));
      response.on("error", reject);
    });
    request.setTimeout(options.timeoutMs ?? 60_000, () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}
