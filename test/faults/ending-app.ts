import { readFile } from "node:fs/promises";
import { built } from "../../bench/stage.ts";

/** The sample app; once `condition` holds it ends as if it had been told to, for a crash fails requests. */
export async function endingOnce(condition: string): Promise<string> {
  const good = (await readFile(built("examples/sample-app/server.js"), "utf8")).replace(
    /^#!.*/,
    "",
  );
  return `${good}
    import { existsSync } from "node:fs";
    process.exitCode = 1;
    const waiting = setInterval(() => {
      if (!(${condition})) return;
      clearInterval(waiting);
      process.emit("SIGTERM");
    }, 50);
  `;
}
