import { join } from "node:path";
import { type Call, isEchoOf } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { concealed } from "../../base/secret.ts";
import { secretsIn } from "../child-environment.ts";
import {
  type GenerationOutput,
  type Keep,
  openGenerationOutput,
  type PassTo,
} from "./generation-output.ts";
import type { OutputEntry } from "./output-entry.ts";
import { openOutputFile } from "./output-file.ts";
import { removePipeNames } from "./pipes.ts";

const longestTail = 50;
/** What a dead app has left in its pipes; children of it may keep them open for ever. */
const lastWordsMs = 300;
const closingMs = 1_000;

export interface AppOutputParts {
  directory: string;
  /** For the agent's own secrets. */
  environment: Environment;
  clock: Clock;
  logger: Logger;
  passTo?: PassTo | undefined;
  /** The release that is started now, as far as it is known. */
  tag(): Promise<string | undefined>;
}

/** What one generation has written last, without the agent's own secrets. */
export interface LastWords {
  lines: string[];
  /** Whether all that it and its children have written was read. */
  areAll: boolean;
}

/** What an app writes: passed on to where the agent writes, and the last of it kept. */
export interface AppOutput {
  /** For a new generation; `undefined` where nothing can be kept, and it writes there itself. */
  open(generation: number, call: Call): Promise<GenerationOutput | undefined>;
  /** Those of the newest generation, once it has ended. */
  lastWords(): Promise<LastWords>;
  /** Once the app has ended, or is left to be read by who stands in. */
  close(): Promise<void>;
  leave(): Promise<void>;
}

export async function openAppOutput(parts: AppOutputParts): Promise<AppOutput> {
  const { directory, environment, clock, logger } = parts;
  const place = join(directory, ".dewy");
  const secrets = secretsIn(environment);
  const file = openOutputFile(directory, parts);
  const open = new Set<Promise<unknown>>();
  let newest: { tail: string[]; ended: Promise<unknown> } | undefined;
  await makeDirectory(place, 0o700);
  await removePipeNames(place);

  return {
    async open(generation, call) {
      const tail: string[] = [];
      try {
        const tag = await parts.tag();
        const output = await openGenerationOutput(
          { directory: place, to: parts.passTo },
          keeping({ generation, ...(tag && { tag }) }, tail),
          call,
        );
        const ended = output.ended.finally(() => open.delete(ended));
        open.add(ended);
        newest = { tail, ended };
        return output;
      } catch (error) {
        if (isEchoOf(call.signal, error)) throw error;
        logger.warn("What the app writes cannot be kept", { generation, error });
        return undefined;
      }
    },

    async lastWords() {
      if (!newest) return { lines: [], areAll: false };
      const { tail, ended } = newest;
      const areAll = await settlesWithin(ended, lastWordsMs, clock);
      return { lines: tail.map((line) => concealed(line, secrets)), areAll };
    },

    async close() {
      await settlesWithin(Promise.all(open), closingMs, clock);
      await file.close();
    },

    leave: () => file.close(),
  };

  function keeping(about: Pick<OutputEntry, "generation" | "tag">, tail: string[]): Keep {
    return (stream, lines) => {
      const at = clock.now().toISOString();
      for (const text of lines) file.write({ at, stream, ...about, text });
      tail.push(...lines.slice(-longestTail));
      tail.splice(0, tail.length - longestTail);
    };
  }
}
