import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type AtEnd, temporaryDirectory } from "./program.ts";

export const program = fileURLToPath(new URL("../../dist/src/main.js", import.meta.url));

export interface ServedRegistry {
  /** `http://127.0.0.1:PORT`, or with `https:` where `more` has an `http` for that. */
  address: string;
  child: ChildProcess;
  /** Resolves to the exit status; `null` when a signal ended it. */
  ended: Promise<number | null>;
  /** What it has written to standard error so far. */
  log(): string;
}

/**
 * Runs `dewy registry serve` as people do, storing in `directory`; it ends with the test. `more` is
 * what else its configuration says.
 */
export async function serveRegistry(
  directory: string,
  maintenance = "{}",
  more = "",
  atEnd: AtEnd = onTestFinished,
): Promise<ServedRegistry> {
  const file = join(await temporaryDirectory("config", atEnd), "config.yml");
  await writeFile(
    file,
    `version: 0.1
log: {accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${directory}}
  delete: {enabled: true}
  maintenance: ${maintenance}
${/^http:/m.test(more) ? "" : 'http: {addr: "127.0.0.1:0"}'}
${more}
`,
  );
  const stdio = ["ignore", "ignore", "pipe"] as const;
  const child = spawn(process.execPath, [program, "registry", "serve", file], {
    stdio: [...stdio],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  atEnd(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  let log = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-100_000);
      const [, found] = /listens on (https?:\S+)/.exec(log) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then((status) => reject(new Error(`it ended with ${status}: ${log}`)));
  });
  return { address, child, ended, log: () => log };
}
