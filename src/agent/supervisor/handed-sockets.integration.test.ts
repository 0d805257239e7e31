import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { handedSockets } from "./handed-sockets.ts";
import { openListeningSocket } from "./listening-socket.ts";
import { listenersOn } from "./sample-app.fake.ts";

it("takes the sockets it was started with, by their ports", async ({ signal }) => {
  const { sockets } = await listenersOn(2, signal);
  const only4 = await openListeningSocket(0, { signal }, ["127.0.0.1"]);
  onTestFinished(() => only4.close());
  const all = [...sockets, only4];

  const found = await startedWith(all.map(({ fd }) => fd));

  expect(found).toEqual(all.map(({ port }, index) => ({ port, fd: 3 + index })));
});

it("refuses what is no listening socket, by its name", async () => {
  expect(await startedWith([1])).toBe("LISTEN_FDS: descriptor 3 (web) is no listening TCP socket");
});

it("refuses a port that comes twice", async ({ signal }) => {
  const { sockets } = await listenersOn(1, signal);
  const [{ fd, port } = { fd: 0, port: 0 }] = sockets;

  expect(await startedWith([fd, fd])).toBe(`LISTEN_FDS: port ${port} is handed over twice`);
});

it.each([
  [{}],
  [{ LISTEN_PID: "1", LISTEN_FDS: "1" }],
  [{ LISTEN_PID: "7", LISTEN_FDS: "0" }],
  [{ LISTEN_PID: "7", LISTEN_FDS: "many" }],
])("takes nothing that is not meant for this process: %j", (environment) => {
  expect(handedSockets(environment, 7)).toEqual([]);
});

/** What a process finds that is started with `fds`, or what it says of them. */
async function startedWith(fds: readonly number[]): Promise<unknown> {
  const module = fileURLToPath(
    new URL("../../../dist/src/agent/supervisor/handed-sockets.js", import.meta.url),
  );
  const program = `
    const { handedSockets } = await import(${JSON.stringify(module)});
    const environment = { LISTEN_PID: "7", LISTEN_FDS: "${fds.length}", LISTEN_FDNAMES: "web" };
    try {
      console.log(JSON.stringify(handedSockets(environment, 7)));
    } catch ({ message }) {
      console.log(JSON.stringify(message));
    }
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit", ...fds],
  });
  return JSON.parse(await text(child.stdout as NodeJS.ReadableStream));
}
