import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { HealthOptions, StatusRange } from "./health.ts";
import { ProbeError } from "./probe-error.ts";

/** What is looked for has to come in this. */
const longestBody = 64 * 1024;

export type HttpQuestion = Pick<HealthOptions, "status" | "match"> & { path: string };

/**
 * Asks over a connection that is there already.
 *
 * @throws {ProbeError} for another answer than was asked for, and for none
 */
export async function askByHttp(
  socket: Socket,
  { path, status: ranges, match }: HttpQuestion,
  call: Call,
): Promise<void> {
  const what = `GET ${path}`;
  const { statusCode: status = 0, text } = await answered(socket, path, call).catch((cause) => {
    throw new ProbeError("NO_ANSWER", `${what}: ${messageOf(cause)}`, { cause });
  });
  if (!ranges.some(({ from, to }) => status >= from && status <= to)) {
    throw new ProbeError("WRONG_ANSWER", `${what} answered ${status}, not ${phrase(ranges)}`);
  }
  if (match !== undefined && !text.includes(match)) {
    throw new ProbeError("WRONG_ANSWER", `${what} answered ${status}, without "${match}" in it`);
  }
}

async function answered(socket: Socket, path: string, { signal }: Call) {
  const asking = request({
    ...{ path, signal, createConnection: () => socket },
    headers: { host: "localhost", connection: "close", "user-agent": "dewy" },
  });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      asking.once("response", resolve);
      asking.on("error", reject);
      asking.end();
    });
    const { statusCode, rawHeaders } = response;
    return { statusCode, text: `${headerLines(rawHeaders)}\n${await beginningOf(response)}` };
  } finally {
    asking.destroy();
    socket.destroy();
  }
}

function headerLines(raw: readonly string[]): string {
  return raw.map((word, index) => (index % 2 === 0 ? `${word}: ` : `${word}\n`)).join("");
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= longestBody) break;
  }
  return Buffer.concat(chunks).subarray(0, longestBody).toString("utf8");
}

function phrase(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(", ");
}
