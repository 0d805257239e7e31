#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";

/**
 * A web server as Dewy likes them: it serves on the sockets it is handed, and leaves quietly.
 *
 * `SERVER_STARTER_PORT` names the sockets, as in `8000=3;8001=4`: port, then file descriptor.
 */
const version = readFileSync(new URL("VERSION", import.meta.url), "utf8").trim();
const descriptors = (process.env.SERVER_STARTER_PORT ?? "")
  .split(";")
  .filter(Boolean)
  .map((pair) => Number(pair.split("=")[1]));

let leaving = false;
const servers = descriptors.map((fd) => serve().listen({ fd }));
if (servers.length === 0) servers.push(serve().listen(Number(process.env.PORT ?? 8000)));

/**
 * Told to leave: accept no more, answer what was asked, and say `Connection: close` so that clients
 * come back on a new connection, which the next version accepts. `http.Server.close()` would cut
 * idle connections at once and race with the request a client is just sending.
 */
process.once("SIGTERM", () => {
  leaving = true;
  for (const server of servers) NetServer.prototype.close.call(server);
  setTimeout(() => {
    for (const server of servers) server.closeIdleConnections();
  }, 5000).unref();
});

function serve() {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://app");
    const seconds = pathname === "/slow" ? Number(searchParams.get("seconds") ?? 1) : 0;
    if (seconds > 0) setTimeout(() => answer(response), seconds * 1000);
    else answer(response);
  });
  // Undocumented: without it, a client that half-closes its connection gets no answer.
  return Object.assign(server, { httpAllowHalfOpen: true });
}

function answer(response: ServerResponse): void {
  if (leaving) response.setHeader("connection", "close");
  response.setHeader("content-type", "text/plain");
  response.end(`sample-app ${version} (process ${process.pid})\n`);
}
