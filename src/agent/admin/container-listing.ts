import { request } from "node:http";
import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import { type Call, withTimeout } from "../../base/call.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { adminPortsFrom } from "./admin-ports.ts";

export class ListingError extends DewyError<"NO_AGENT" | "REFUSED"> {}

const Listed = v.object({
  ...{ id: v.string(), name: v.string(), image: v.string(), status: v.string() },
  ...{ ip_port: v.string(), started_at: v.string(), deployed_at: v.string() },
  labels: v.nullish(v.record(v.string(), v.string())),
});
export type ListedContainer = v.InferOutput<typeof Listed>;

/** The original says `null` before it has looked. */
const Answer = v.object({ containers: v.nullable(v.array(Listed)) });

const answerLimitMs = 5_000;
const maximumBytes = 16 * 1024 * 1024;

/**
 * The containers of all agents whose admin listeners are on the ten ports from `first`, by name.
 *
 * @throws {ListingError} when there is no agent, or one of them could not tell
 */
export async function listContainers(first: number, call: Call): Promise<ListedContainer[]> {
  const ports = adminPortsFrom(first);
  const answers = await Promise.all(ports.map((port) => containersAt(port, call)));
  const found = answers.filter((answer) => answer !== undefined);
  if (found.length === 0) {
    const message = `no running agent was found on 127.0.0.1:${first} to ${ports.at(-1)}`;
    throw new ListingError("NO_AGENT", message, {
      hint: "start dewy container, or name its port by --admin-port",
    });
  }
  return found.flat().sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** `undefined` where nobody listens. */
async function containersAt(port: number, call: Call): Promise<ListedContainer[] | undefined> {
  const place = `127.0.0.1:${port}`;
  try {
    return await withTimeout(place, answerLimitMs, call, async (each) => {
      const { status, text } = await ask(port, each);
      if (status !== 200) throw new ListingError("REFUSED", `${place} answers ${status}: ${text}`);
      return v.parse(Answer, JSON.parse(text)).containers ?? [];
    });
  } catch (error) {
    call.signal.throwIfAborted();
    if (systemCodeOf(error) === "ECONNREFUSED") return undefined;
    if (error instanceof ListingError) throw error;
    throw new ListingError(
      "REFUSED",
      `${place} does not answer as dewy does: ${messageOf(error)}`,
      {
        cause: error,
        hint: "find out who listens there, or name another port by --admin-port",
      },
    );
  }
}

function ask(port: number, { signal }: Call): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, path: "/api/containers", signal },
      (answer) => {
        collect(answer, maximumBytes).then(
          (body) => resolve({ status: answer.statusCode ?? 0, text: body.toString("utf8").trim() }),
          reject,
        );
      },
    );
    asked.on("error", reject).end();
  });
}
