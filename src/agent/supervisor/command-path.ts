import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { SupervisorError } from "./supervisor-error.ts";

interface CommandPlace {
  /** What a relative path starts from. */
  directory: string;
  /** `PATH` as the command will see it. */
  searchPath: string | undefined;
}

type Finding = "executable" | "not executable" | "missing";

/**
 * Where the program `name` is, as execvp(3) would find it: on `PATH`, or as a path when it has a `/`.
 *
 * @throws {SupervisorError} `COMMAND_NOT_FOUND`, `NOT_EXECUTABLE`
 */
export async function findCommand(name: string, place: CommandPlace): Promise<string> {
  if (name.includes("/")) return findPath(resolve(place.directory, name));
  const candidates = (place.searchPath ?? "")
    .split(delimiter)
    .map((directory) => resolve(place.directory, directory, name));
  const findings = await Promise.all(candidates.map(inspect));
  const executable = candidates[findings.indexOf("executable")];
  if (executable !== undefined) return executable;
  const blocked = candidates[findings.indexOf("not executable")];
  if (blocked !== undefined) throw notExecutable(blocked);
  throw await notOnPath(name, place);
}

async function findPath(path: string): Promise<string> {
  const finding = await inspect(path);
  if (finding === "executable") return path;
  if (finding === "not executable") throw notExecutable(path);
  throw new SupervisorError("COMMAND_NOT_FOUND", `there is no command ${path}`, {
    hint: "compare it with the files of the release, which is under current/",
  });
}

async function inspect(path: string): Promise<Finding> {
  try {
    if (!(await stat(path)).isFile()) return "not executable";
    await access(path, constants.X_OK);
    return "executable";
  } catch {
    return (await exists(path)) ? "not executable" : "missing";
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function notExecutable(path: string): SupervisorError {
  return new SupervisorError("NOT_EXECUTABLE", `${path} is not an executable file`, {
    hint: "name a program, and give it the mode 0755 before it is packed",
  });
}

async function notOnPath(name: string, { directory, searchPath }: CommandPlace) {
  const hint = (await exists(join(directory, name)))
    ? `write ./${name} for the one in ${directory}`
    : "write the path of the command, such as ./current/app";
  return new SupervisorError(
    "COMMAND_NOT_FOUND",
    `there is no command ${name} on PATH (${searchPath ?? "which is not set"})`,
    { hint },
  );
}
