import { request as httpRequest, type IncomingMessage } from "node:http";
import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { openSocketPath } from "../../base/socket-path.ts";
import { ControlError } from "./control-error.ts";
import type { Answers, RequestName, RequestOf } from "./control-request.ts";
import { socketOf } from "./control-socket.ts";

const longestAnswer = 4 * 1024 * 1024;

const Failure = v.object({
  error: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.string()) }),
});

/**
 * Asks the agent that looks after `directory`, and waits for as long as it takes.
 *
 * @throws {ControlError} `NO_AGENT` when none runs there, and what the agent says against it
 */
export async function askAgent<Name extends RequestName>(
  directory: string,
  name: Name,
  asked: RequestOf<Name>,
  schema: v.GenericSchema<unknown, Answers[Name]>,
  call: Call,
): Promise<Answers[Name]> {
  const { status, text } = await exchanged(directory, `/v1/${name}`, asked, call);
  const answer = jsonOf(text);
  if (status !== 200) throw refusalIn(answer, status);
  const result = v.safeParse(schema, answer);
  if (result.success) return result.output;
  throw new ControlError("INVALID_ANSWER", "the agent answers what this dewy cannot read", {
    hint: "start the agent again, if dewy was upgraded since",
  });
}

async function exchanged(directory: string, path: string, asked: object, { signal }: Call) {
  const place = await openSocketPath(socketOf(directory)).catch((error) =>
    refused(error, directory),
  );
  if (!place) throw noAgent(directory);
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const body = JSON.stringify(asked);
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const { path: socketPath } = place;
      httpRequest({ socketPath, path, method: "POST", headers, signal, agent: false })
        .on("response", resolve)
        .on("error", reject)
        .end(body);
    });
    return { status: answer.statusCode, text: (await collect(answer, longestAnswer)).toString() };
  } catch (error) {
    signal.throwIfAborted();
    return refused(error, directory);
  } finally {
    await place.close();
  }
}

function refused(error: unknown, directory: string): never {
  const code = systemCodeOf(error) ?? "";
  if (["ENOENT", "ECONNREFUSED", "ENOTDIR", "ENOTSOCK"].includes(code)) throw noAgent(directory);
  if (code === "EACCES" || code === "EPERM") {
    throw new ControlError("FORBIDDEN", `the agent of ${directory} is not yours to ask`, {
      hint: "call dewy as the user that the agent runs as, or by sudo",
    });
  }
  throw new ControlError("FAILED", `the agent of ${directory} broke off (${messageOf(error)})`, {
    cause: error,
    hint: "look into its log",
  });
}

function noAgent(directory: string): ControlError {
  return new ControlError("NO_AGENT", `no dewy runs in ${directory}`, {
    hint: "start it, or name the directory of an app by --directory",
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalIn(answer: unknown, status = 0): ControlError {
  const result = v.safeParse(Failure, answer);
  if (!result.success) return new ControlError("INVALID_ANSWER", `the agent answers ${status}`);
  const { message, hint } = result.output.error;
  return new ControlError(status === 409 ? "REFUSED" : "FAILED", message, { hint });
}
