import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { thisHost } from "../../src/agent/host.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { describeWith } from "../component.ts";

/** The one that Debian's modules are for, whatever else is on `PATH`. */
const python = "/usr/bin/python3";
const artifactUrl = "https://a.test/app.tar.gz";

describeWith(`${python}:grpc`)("grpc:// with a server on grpcio", () => {
  it("understands what the server announces, and is understood", async ({ signal }) => {
    const server = await startServer();
    const registry = await follow(server.port, "&artifact=app.zip");
    const { os, architecture: arch } = thisHost().platform;

    expect(await registry.tags({ signal })).toEqual(["v1.2.3"]);
    const release = await registry.release("v1.2.3", { signal });
    const identity = release?.artifacts[0]?.identity ?? "";
    const where = { host: "web-1", at: new Date() };
    const report = { tag: "v1.2.3", identity, command: "server" as const, ...where };
    await registry.report?.({ ...report, error: "it broke" }, { signal });
    await registry.report?.({ ...report, error: undefined }, { signal });

    expect(release?.publishedAt).toEqual(new Date("2026-01-01T00:00:00Z"));
    expect(release?.artifacts).toMatchObject([{ name: "app.tar.gz", url: artifactUrl }]);
    expect(await server.lines(3)).toEqual([
      { os, arch, wanted: "app.zip" },
      { id: "7", tag: "v1.2.3", command: "server", err: "it broke" },
      { id: "7", tag: "v1.2.3", command: "server", err: null },
    ]);
  });

  it("understands why the server refuses", async ({ signal }) => {
    const { port } = await startServer();
    const registry = await follow(port, "&artifact=none");

    await expect(registry.tags({ signal })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("nothing for you"),
    });
  });
});

async function startServer() {
  const script = fileURLToPath(new URL("grpc-registry.py", import.meta.url));
  const child = spawn(python, [script, artifactUrl], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  });
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const lines = async (count: number): Promise<unknown[]> => {
    const read: unknown[] = [];
    while (read.length < count) read.push(JSON.parse((await said.next()).value ?? "{}"));
    return read;
  };
  const [first] = await lines(1);
  return { port: (first as { port: number }).port, lines };
}

async function follow(port: number, query: string) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const parts = { http, clock: systemClock, environment: {} };
  const url = `grpc://127.0.0.1:${port}?no-tls=true${query}`;
  const { registry } = await openReleaseRegistry(url, parts);
  onTestFinished(async () => {
    await registry.close();
    http.close();
  });
  return registry;
}
