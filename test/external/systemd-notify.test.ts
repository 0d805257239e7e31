import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { openSystemdNotify } from "../../src/agent/telemetry/systemd.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { temporaryDirectory } from "./program.ts";

const python = "/usr/bin/python3";
/** Prints each datagram as JSON; the descriptor of a barrier is let go of, as systemd does. */
const receiver = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('"listening"', flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 65536, 4)
    for fd in fds: os.close(fd)
    print(json.dumps(data.decode().strip().split("\\n")), flush=True)
`;

describeWith("systemd-notify", `${python}:socket`)("systemd-notify", () => {
  it("brings every word to the service manager's socket", async () => {
    const manager = await listen();
    const logger = new FakeLogger();
    const environment = {
      ...{ NOTIFY_SOCKET: manager.socket, PATH: process.env.PATH, WATCHDOG_USEC: "400000" },
    };

    const notify = openSystemdNotify(environment, { clock: systemClock, logger });
    const observe = notify?.observe({ app: "web", host: "h", mode: "server" });
    observe?.({ type: "app started", reason: "boot", tag: "v1", pid: 1 });
    const ready = await manager.message("READY=1");
    await manager.message("WATCHDOG=1");
    await manager.message("WATCHDOG=1");
    notify?.stopping();
    await manager.message("STOPPING=1");
    await notify?.close();

    expect(ready).toContain("STATUS=web: v1 active, not polled yet");
    expect(logger.lines).toEqual([]);
  });
});

async function listen() {
  const socket = join(await temporaryDirectory("notify"), "notify.sock");
  const child = spawn(python, ["-c", receiver, socket], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    socket,
    /** The next message with this word in it. */
    async message(word: string): Promise<string[]> {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error("the socket was closed");
        const message = JSON.parse(value) as string[];
        if (message.includes(word)) return message;
      }
    },
  };
}
