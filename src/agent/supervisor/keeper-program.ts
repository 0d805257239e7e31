/**
 * Answers one connection to the keeper with all sockets, and ends. Its channel to "its parent" is that
 * connection: the process that made it receives what Node sends to itself, handles among it.
 *
 * `net.Socket` opens a descriptor without polling it. It makes it non-blocking, which belongs to the
 * socket and not to the process: undone at once where the app expects a socket that blocks.
 */
const giverProgram = `
  const { Socket } = require("node:net");
  const { readFileSync } = require("node:fs");
  const ports = process.argv.slice(1);
  process.on("disconnect", () => process.exit());
  ports.forEach((port, index) => {
    const fd = 4 + index;
    const blocked = blocks(fd);
    const { _handle: handle } = new Socket({ fd, readable: false, writable: false });
    if (blocked) handle.setBlocking(true);
    process.send({ port: Number(port), count: ports.length }, handle);
  });

  function blocks(fd) {
    try {
      const [, flags] = /flags:\\s*(\\d+)/.exec(readFileSync("/proc/self/fdinfo/" + fd, "utf8"));
      return (parseInt(flags, 8) & 0o4000) === 0;
    } catch {
      return false;
    }
  }
`;

/**
 * Holds listening sockets, as descriptors from 3 on that it never looks at, and gives them to whoever
 * connects to `keeper.sock` in its working directory. It is there by a rename: so the newest keeper has
 * the name, and one that has lost it ends as soon as its agent is gone.
 *
 * Its standard input is its agent's sign of life. Without an agent it stays as long as a recorded
 * worker serves, and then a little longer, for an agent that is being started again.
 */
const keeperProgram = `
  const { createServer } = require("node:net");
  const { spawn } = require("node:child_process");
  const { readFileSync, renameSync, statSync } = require("node:fs");
  const [giver, lingerMs, ...ports] = process.argv.slice(1);
  const path = "keeper.sock";
  const draft = path + "." + process.pid;
  // A program that was replaced on the disk meanwhile is still there under this name.
  const node = process.platform === "linux" ? "/proc/self/exe" : process.execPath;
  let own;
  let since;

  process.title = "dewy: keeps port " + ports.join(",");
  process.umask(0o177);
  process.stdout.on("error", () => {});
  process.stdin.on("close", () => {
    since = performance.now();
    setInterval(look, 1000);
  });
  process.stdin.resume();
  const server = createServer({ pauseOnConnect: true }, give);
  server.on("error", ({ message }) => process.stdout.write(message, () => process.exit(1)));
  server.listen(draft, () => {
    renameSync(draft, path);
    own = nameOf(path);
    process.stdout.write("kept");
  });

  function give(connection) {
    since = performance.now();
    connection.on("error", () => {});
    const child = spawn(node, ["-e", giver, ...ports], {
      env: { NODE_CHANNEL_FD: "3" },
      stdio: ["ignore", "ignore", "ignore", connection, ...ports.map((_, index) => 3 + index)],
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    child.on("error", () => connection.destroy());
    child.on("exit", () => connection.destroy());
  }

  function look() {
    if (nameOf(path) !== own) process.exit();
    if (serves()) since = performance.now();
    if (performance.now() - since > Number(lingerMs)) process.exit();
  }

  function nameOf(socket) {
    try {
      const { ino, mtimeMs } = statSync(socket);
      return ino + " " + mtimeMs;
    } catch {
      return undefined;
    }
  }

  function serves() {
    try {
      const { workers } = JSON.parse(readFileSync("workers.json", "utf8"));
      return workers.some((worker) => !worker.ending && runs(worker));
    } catch {
      return false;
    }
  }

  function runs({ pid, identity }) {
    try {
      const stat = readFileSync("/proc/" + pid + "/stat", "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return fields[0] !== "Z" && identity.endsWith("/" + fields[19]);
    } catch {
      return false;
    }
  }
`;

/**
 * The arguments of a Node that keeps `ports`, whose sockets it inherits from descriptor 3 on.
 *
 * @param lingerMs how long an agent that was told to end, or whose app has ended too, may take to come back
 */
export function keeperArguments(ports: readonly number[], lingerMs = 60_000): string[] {
  return [
    "--input-type=commonjs",
    "-e",
    keeperProgram,
    giverProgram,
    String(lingerMs),
    ...ports.map(String),
  ];
}

/**
 * Connects to the keeper and passes on what it gives to its parent. A pipe that carries handles is
 * something Node makes for its own children only: hence `pendingHandle`, which is undocumented, and the
 * same from 20 to 26. It happens here, so that a Node that knows it no more fails here alone.
 */
export const carrierProgram = `
  const { Socket } = require("node:net");
  const acknowledgement = JSON.stringify({ cmd: "NODE_HANDLE_ACK" }) + "\\n";
  const carriesHandles = 2;
  const Pipe = process.stdin._handle.constructor;
  const pipe = new Pipe(carriesHandles);
  const socket = new Socket({ handle: pipe, manualStart: true });
  let text = "";
  process.on("disconnect", () => process.exit());
  socket.on("error", () => {});
  socket.on("close", () => process.exit());
  socket.on("data", (chunk) => {
    const lines = (text + chunk).split("\\n");
    text = lines.pop();
    for (const line of lines) {
      process.send(JSON.parse(line).msg, pipe.pendingHandle);
      socket.write(acknowledgement);
    }
  });
  socket.connect({ path: "keeper.sock" });
`;
