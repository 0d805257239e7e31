import { createRequire } from "node:module";

const isBuilt = import.meta.url.endsWith(".js");

/**
 * Loads a module of this directory, and all that it imports, for an `import` that follows: file after
 * file at once, where that has each take its turn in the event loop. It takes a third less time.
 *
 * @param module such as `./commands/push.ts`
 */
export function preload(module: string): void {
  if (!isBuilt) return;
  try {
    createRequire(import.meta.url)(module.replace(/\.ts$/, ".js"));
  } catch {
    // What is wrong the import tells; a Node that does not know how to loads it then.
  }
}
