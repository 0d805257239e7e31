import { type Call, withGrace } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import type { HookName } from "../event.ts";
import type { HookFacts, RunHook } from "./hook.ts";

/** What a hook may take of the time in which the agent has to end. */
const lastHookMs = 30_000;

export interface AfterwardsParts {
  /** Those that were asked for. */
  hooks: { readonly [Name in HookName]?: RunHook | undefined };
  logger: Logger;
}

/**
 * Runs a hook whose word changes nothing. It is run even when the agent has been told to end: the
 * before-hook may have taken the host out of service.
 */
export async function afterwards(
  name: HookName,
  facts: HookFacts,
  { hooks, logger }: AfterwardsParts,
  call: Call,
): Promise<void> {
  try {
    await withGrace(`the ${name} hook`, lastHookMs, call, async (each) =>
      hooks[name]?.(facts, each),
    );
  } catch (error) {
    logger.error(`the deployment stands as it is, and its ${name} hook failed`, { error });
  }
}
