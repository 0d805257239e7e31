import { readFileSync } from "node:fs";

/** Enough to load the whole program, and to run a handful of apps. */
const fewest = 128;

/**
 * A sentence when this process may not have enough files open to be loaded, since what fails then
 * fails anywhere, and names whichever file it was. Linux tells (proc_pid_limits(5)); elsewhere nobody.
 */
export function tooFewOpenFiles(path = "/proc/self/limits"): string | undefined {
  const limit = limitIn(path);
  if (limit === undefined || limit >= fewest) return undefined;
  return (
    `this process may have ${limit} files open, and needs ${fewest}: ` +
    "raise the limit, by ulimit -n 1024 in a shell or LimitNOFILE=1024 in a systemd unit"
  );
}

/**
 * How many connections may be open at a time, so that there is a file left for what each of them asks,
 * and some for the program itself; `undefined` where nobody tells.
 */
export function mostConnections(path = "/proc/self/limits"): number | undefined {
  const limit = limitIn(path);
  return limit === undefined ? undefined : Math.max(16, Math.floor((limit - fewest) / 2));
}

function limitIn(path: string): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+) /m.exec(readFileSync(path, "utf8")) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
