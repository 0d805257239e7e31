#!/usr/bin/env node
import { systemClock } from "./base/clock.ts";
import { tooFewOpenFiles } from "./base/open-files.ts";

const lingerMs = 1_000;
const filesMs = 10_000;
const stop = new AbortController();
// Told twice, as by npm and the terminal both, it still lets the app drain: the system's own answer to
// a signal nobody listens for would be to end at once, and to leave the app behind.
for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
  process.on(signal, () => stop.abort(new Error(`told to stop by ${signal}`)));
}
const restartListeners = new Set<() => void>();
// Listened to even where nothing can be restarted: unheard, it would open Node's debugger.
process.on("SIGUSR1", () => {
  for (const restart of restartListeners) restart();
});
// A terminal that goes away takes no deployment with it.
process.on("SIGHUP", () => {});

// Whoever reads the output may have seen enough of it, as `head` has.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const complaint = tooFewOpenFiles();
if (complaint !== undefined) {
  process.stderr.write(`dewy: ${complaint}\n`);
  process.exit(1);
}

// Loaded now, since loading is what a process of few files fails at.
const { main } = await import("./cli/main.ts");
process.exitCode = await main(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stderr.isTTY
    ? {
        get columns() {
          return process.stderr.columns || 80; // one that does not know says 0
        },
        get rows() {
          return process.stderr.rows || 24;
        },
        showsPrinted: process.stdout.isTTY === true,
        write: (text) => process.stderr.write(text),
      }
    : undefined,
  environment: process.env,
  directory: process.cwd(),
  signal: stop.signal,
  onRestart(listener) {
    restartListeners.add(listener);
    return () => restartListeners.delete(listener);
  },
  clock: systemClock,
});

// What still holds the event loop after a command has closed its parts must not keep it from ending.
const over = performance.now();
setInterval(() => {
  const waitedMs = performance.now() - over;
  if (waitedMs < lingerMs) return;
  if (!waitsForFiles()) process.exit();
  if (waitedMs < filesMs) return;
  process.stderr.write("dewy: killed itself, as a disk or a network file system does not answer\n");
  process.kill(process.pid, "SIGKILL");
}, 100).unref();

/** To exit waits for the threads that do, and for ever where a file system does not answer. */
function waitsForFiles(): boolean {
  return process.getActiveResourcesInfo().some((one) => /^FSReq|^MessagePort$/.test(one));
}
