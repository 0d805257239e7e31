import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, open } from "node:fs/promises";
import { join } from "node:path";
import type { Call } from "../../../base/call.ts";
import { ArchiveError } from "./archive.ts";

const longestComplaint = 500;

const places = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin"];

/** Where `name` is, among the places that a package puts programs. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of places) {
    const path = join(directory, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** Runs `program` with the file at `path` as its input, and yields its output. */
export async function* runDecoder(
  program: string,
  args: readonly string[],
  path: string,
  { signal }: Call,
): AsyncGenerator<Uint8Array> {
  const input = await open(path, "r");
  const child = spawn(program, args, { stdio: [input.fd, "pipe", "pipe"], env: {}, signal });
  const exited = once(child, "exit");
  exited.catch(() => {});
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(0, longestComplaint);
  });
  try {
    await once(child, "spawn");
    if (child.stdout) yield* child.stdout;
    const [status] = await exited;
    if (status !== 0) throw damaged(complaint.trim() || `${program} ended with ${status}`);
  } finally {
    child.kill("SIGKILL");
    await input.close();
  }
}

function damaged(reason: string): ArchiveError {
  return new ArchiveError("DAMAGED", `it is damaged or cut short (${reason})`);
}
