import type { HookName } from "../event.ts";
import { type HookParts, type RunHook, runHook } from "./hook.ts";

/** Command lines for `sh -c`, run around each deployment. */
export interface HookOptions {
  beforeDeployHook?: string | undefined;
  afterDeployHook?: string | undefined;
  rollbackHook?: string | undefined;
}

/** The hooks of an app: those that were asked for. */
export function hooksOf(
  options: HookOptions,
  parts: HookParts,
): Partial<Record<HookName, RunHook>> {
  const commands: Record<HookName, string | undefined> = {
    "before-deploy": options.beforeDeployHook,
    "after-deploy": options.afterDeployHook,
    rollback: options.rollbackHook,
  };
  const hooks: Partial<Record<HookName, RunHook>> = {};
  for (const [name, command] of Object.entries(commands)) {
    if (command === undefined) continue;
    const hook = { name: name as HookName, command };
    hooks[hook.name] = (facts, call) => runHook(hook, facts, parts, call);
  }
  return hooks;
}
