import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import { findCommand } from "./command-path.ts";

interface Launcher {
  shell: string;
  /** Its arguments, before `$0` and the command. */
  script: readonly string[];
}

/**
 * Waits for a line on standard input, or leaves when there is none to come; then becomes the command,
 * under the same process id, which is what `LISTEN_PID` has to be.
 */
const waitThenBecome = 'IFS= read -r DEWY_START || exit 1; unset DEWY_START; exec "$@" </dev/null';
const withListenPid = `LISTEN_PID=$$; export LISTEN_PID; ${waitThenBecome}`;

/**
 * POSIX mode does not read the file that BASH_ENV names. `--norc` is for a guess of bash: with a
 * socket as its standard input, which a pipe of Node's is, it takes itself for started by rshd(8).
 */
const withoutStartupFiles = ["--posix", "--norc"];

/**
 * The shell that becomes the worker. `/bin/sh` may be one (dash) that drops variables whose names are
 * no shell names, such as `discovery.type`; bash passes them on, so it is taken where there are any.
 */
export async function launcherFor(environment: Environment, logger: Logger): Promise<Launcher> {
  const script = environment.LISTEN_FDS === undefined ? waitThenBecome : withListenPid;
  const odd = Object.keys(environment).filter(isNoShellName);
  if (odd.length === 0) return { shell: "/bin/sh", script: ["-c", script] };
  try {
    const shell = await findCommand("bash", {
      directory: "/",
      searchPath: "/bin:/usr/bin:/usr/local/bin",
    });
    return { shell, script: [...withoutStartupFiles, "-c", script] };
  } catch {
    logger.warn("The app may not see variables whose names a shell does not know; install bash", {
      names: odd,
    });
    return { shell: "/bin/sh", script: ["-c", script] };
  }
}

const isNoShellName = (name: string): boolean => !/^[A-Za-z_]\w*$/.test(name);
