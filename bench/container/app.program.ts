// The app of the containers: who it is at `/`, a body that takes its time at `/download?seconds=25`.
import { createServer, type ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";
import { hostname } from "node:os";

const { VERSION = "", BROKEN = "" } = process.env;
const pieceMs = 250;
let isLeaving = false;

if (BROKEN === "ends") process.exit(3);
if (BROKEN === "is deaf") setInterval(() => {}, 1_000);
else serve();

function serve(): void {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://app");
    // As servers do that lose no client: it comes back on another connection.
    if (isLeaving) response.setHeader("connection", "close");
    if (pathname === "/download") download(response, Number(searchParams.get("seconds")));
    else if (pathname === "/healthz" && BROKEN === "is sick") response.writeHead(500).end();
    else response.end(`app ${VERSION} ${hostname()}\n`);
  });
  server.keepAliveTimeout = 60_000;
  // Undocumented: without it, a client that half-closes its connection gets no answer.
  Object.assign(server, { httpAllowHalfOpen: true }).listen(8080);
  process.once("SIGTERM", () => {
    isLeaving = true;
    NetServer.prototype.close.call(server);
    setTimeout(() => server.closeIdleConnections(), 5_000).unref();
  });
}

function download(response: ServerResponse, seconds: number): void {
  const endsAt = Date.now() + seconds * 1_000;
  const writing = setInterval(() => {
    if (Date.now() < endsAt && !response.destroyed) return void response.write(".".repeat(1024));
    clearInterval(writing);
    response.end(`app ${VERSION} ${hostname()} whole\n`);
  }, pieceMs);
}
