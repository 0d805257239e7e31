import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "vitest";

/** How the title of a suite that was left out ends; `test/reporter.ts` looks for it. */
export const leftOutMark = "left out: not on this machine: ";

/**
 * A suite that needs programs this machine may not have: `describeWith("skopeo")("copies …", …)`.
 * `/usr/bin/python3:grpc` is a module of that Python.
 *
 * Without them it is left out, and named at the end of the run; with `CI=true` it fails instead.
 */
export function describeWith(...programs: string[]): (title: string, suite: () => void) => void {
  const missing = programs.filter((program) => !isHere(program));
  if (missing.length === 0) return (title, suite) => describe(title, suite);
  const reason = `${leftOutMark}${missing.join(", ")}`;
  if (process.env.CI !== "true") {
    return (title) => describe(title, () => it.skip(reason, () => {}));
  }
  return (title) =>
    describe(title, () => {
      it("has the programs it needs", () => {
        throw new Error(`${reason}; .ci/run installs them`);
      });
    });
}

function isHere(component: string): boolean {
  const [program = "", module] = component.split(":");
  if (module === undefined) return pathOf(program) !== undefined;
  return spawnSync(program, ["-c", `import ${module}`], { stdio: "ignore" }).status === 0;
}

/** Where a program is: on `PATH`, or where Debian keeps its daemons. */
export function pathOf(program: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return directories
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
