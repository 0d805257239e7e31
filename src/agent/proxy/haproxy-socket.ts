import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Call, withTimeout } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import { ProxyError } from "./proxy-protocol.ts";

const answerLimitMs = 5_000;
const longestAnswer = 16 * 1024 * 1024;

/** Says one command to HAProxy's runtime API. @returns what it answers, without space around it */
export function askHaproxy(path: string, command: string, call: Call): Promise<string> {
  return withTimeout("HAProxy", answerLimitMs, call, async ({ signal }) => {
    const socket = connect(path);
    const abort = () => socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await once(socket, "connect");
      socket.end(`${command}\n`);
      return (await wholeOf(socket)).trim();
    } catch (cause) {
      signal.throwIfAborted();
      throw new ProxyError("NO_PROXY", `${path}: ${messageOf(cause)}`, { cause });
    } finally {
      signal.removeEventListener("abort", abort);
      socket.destroy();
    }
  });
}

async function wholeOf(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    text += chunk;
    if (text.length > longestAnswer) throw new Error("the answer does not end");
  }
  return text;
}

/** One line of `show stat`: by the names of its columns. */
export type StatRow = Readonly<Record<string, string>>;

/** What `show stat` says of a proxy and its servers; `undefined` when there is no such proxy. */
export async function statOf(
  path: string,
  proxy: string,
  call: Call,
): Promise<StatRow[] | undefined> {
  const answer = await askHaproxy(path, `show stat ${proxy} 7 -1`, call);
  if (!answer.startsWith("# ")) return undefined;
  const [head = "", ...lines] = answer.slice(2).split("\n");
  const names = head.split(",");
  return lines
    .filter((line) => line !== "")
    .map((line) => {
      const cells = line.split(",");
      return Object.fromEntries(names.map((name, place) => [name, cells[place] ?? ""]));
    });
}
