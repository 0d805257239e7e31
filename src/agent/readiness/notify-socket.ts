import { type ChildProcess, spawn } from "node:child_process";
import { access, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, withTimeout } from "../../base/call.ts";
import { splitLines } from "../../base/lines.ts";
import type { Notification } from "./notification.ts";

/** Of the package systemd: Node has no sockets of the kind that NOTIFY_SOCKET is. */
export const receiver = "systemd-socket-activate";

/** A message is read at once; what belongs to one ends with an empty line. */
const readAll = "while dd bs=65536 count=1 <&3 2>/dev/null; do echo; done";
/** Ends with the agent, however that ends: nobody else holds the other end of its standard input. */
const script = [
  `"$1" --datagram --listen "$2/socket" /bin/sh -c '${readAll}' </dev/null 2>/dev/null &`,
  'exec >/dev/null; IFS= read -r DEWY_END; rm -rf "$2"; kill -KILL 0',
].join("\n");

const openingLimitMs = 5_000;
const lookMs = 5;
const longestLine = 1_000;

/**
 * A socket for sd_notify(3) that is there until the app has said READY=1, or has ended. What it says
 * later finds no socket, which sd_notify is made for.
 *
 * @throws where there can be no such socket
 */
export async function openSocketNotification(program: string, call: Call): Promise<Notification> {
  // Short, as the addresses of sockets have to be; and nobody else may write into it.
  const directory = await mkdtemp(join(tmpdir(), "dewy-notify-"));
  const path = join(directory, "socket");
  const child = spawn("/bin/sh", ["-c", script, "dewy", program, directory], {
    ...{ stdio: ["pipe", "pipe", "ignore"], detached: true, cwd: "/" },
  });
  let isReady = false;
  let status = "";
  const close = () => void child.stdin?.end();
  unreferenced(child);
  child.stdin?.on("error", () => {}); // it has ended, which its exit tells
  onAssignments(child, (name, value) => {
    if (name === "STATUS") status = value;
    if (name !== "READY" || value !== "1") return;
    isReady = true;
    close();
  });
  await bound(path, child, call).catch((error) => {
    close();
    throw error;
  });
  return {
    get isReady() {
      return isReady;
    },
    get missing() {
      return `has not said READY=1${status ? `, and at last STATUS=${status}` : ""}`;
    },
    variables: { NOTIFY_SOCKET: path },
    inherited: undefined,
    given() {},
    close,
  };
}

function onAssignments(child: ChildProcess, take: (name: string, value: string) => void): void {
  const splitter = splitLines(longestLine);
  child.stdout?.on("data", (bytes: Buffer) => {
    for (const line of splitter.take(bytes)) {
      const [name = "", ...value] = line.split("=");
      take(name, value.join("="));
    }
  });
}

/** It must not keep this process from ending. */
function unreferenced(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stdout]) {
    if (stream && "unref" in stream && typeof stream.unref === "function") stream.unref();
  }
}

async function bound(path: string, child: ChildProcess, call: Call): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${receiver} has ended`)));
  });
  failed.catch(() => {}); // it may fail later, when nobody waits for it
  await withTimeout(`a socket of ${receiver}`, openingLimitMs, call, async (each) => {
    while (!(await isThere(path))) {
      await Promise.race([failed, sleep(lookMs, undefined, each)]);
    }
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
