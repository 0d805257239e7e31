import { Agent } from "node:http";
import { ask, askHalfClosing } from "../load.ts";

/** A request that got no whole answer. */
export interface Failed {
  client: string;
  beganAt: number;
  failedAt: number;
  why: string;
}

export interface Met {
  /** By the kind of client. */
  requests: Map<string, number>;
  failed: Failed[];
  /** How often each version has answered. */
  versions: Map<string, number>;
}

const downloadSeconds = 25;
const halfClosedSeconds = 2;
const restMs = 20;

/** Clients of every kind, all the time. */
export function startClients(url: string): { met: Met; stop(): Promise<void> } {
  const met: Met = { requests: new Map(), failed: [], versions: new Map() };
  const agents: Agent[] = [];
  const requesting = (keepAlive: boolean) => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    agents.push(agent);
    return () => ask(url, { agent }).then(bodyOf);
  };
  const download = `${url}download?seconds=`;
  const kinds: [string, number, () => () => Promise<string>][] = [
    ["keep-alive", 8, () => requesting(true)],
    ["fresh", 4, () => requesting(false)],
    ["download of 25 s", 2, () => () => ask(`${download}${downloadSeconds}`).then(bodyOf)],
    ["half-closing", 2, () => () => askHalfClosing(`${download}${halfClosedSeconds}`)],
  ];
  let isStopped = false;
  const loops = kinds.flatMap(([kind, count, open]) =>
    Array.from({ length: count }, async () => {
      const asking = open();
      while (!isStopped) {
        await askOnce(kind, asking, met);
        await new Promise((resolve) => setTimeout(resolve, restMs));
      }
    }),
  );
  return {
    met,
    async stop() {
      isStopped = true;
      await Promise.all(loops);
      for (const agent of agents) agent.destroy();
    },
  };
}

async function askOnce(client: string, asking: () => Promise<string>, met: Met): Promise<void> {
  const beganAt = Date.now();
  met.requests.set(client, (met.requests.get(client) ?? 0) + 1);
  try {
    const answer = await asking();
    const isLong = client !== "keep-alive" && client !== "fresh";
    const [, version = ""] = /app (\S+) \S+/.exec(answer) ?? [];
    if (!version || (isLong && !/ whole\n?(\r\n0\r\n\r\n)?$/.test(answer))) {
      throw new Error(`an answer of ${answer.length} characters that is not whole`);
    }
    met.versions.set(version, (met.versions.get(version) ?? 0) + 1);
  } catch (error) {
    met.failed.push({ client, beganAt, failedAt: Date.now(), why: String(error) });
  }
}

function bodyOf({ status, body }: { status: number; body: string }): string {
  if (status !== 200) throw new Error(`status ${status}`);
  return body;
}

export function countOf({ requests }: Met): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}
