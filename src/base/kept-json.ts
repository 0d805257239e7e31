import { readFile } from "node:fs/promises";
import type * as v from "valibot";
import { messageOf, systemCodeOf } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { parse } from "./schema.ts";

/**
 * What an earlier process has left as JSON at `path`; `undefined` where there is nothing, or nothing
 * that can be read, which is warned about as `trouble`.
 */
export async function readKept<const Kept extends v.GenericSchema>(
  schema: Kept,
  path: string,
  { trouble, logger }: { trouble: string; logger: Logger },
): Promise<v.InferOutput<Kept> | undefined> {
  try {
    return parse(schema, JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    logger.warn(trouble, { path, error: messageOf(error) });
    return undefined;
  }
}
