import { request as httpRequest } from "node:http";
import { connect, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openAdmin } from "./admin.ts";
import { isLoopbackHost } from "./loopback-host.ts";

const app = {
  name: "web",
  command: "server",
  currentVersion: "v1",
  isRunning: true,
  backends: 0,
} as const;

describe("the admin listener", () => {
  it("says what the original says, with a word for the command", async () => {
    const { address } = await open();
    const fields = { name: "web", command: "server", current_version: "v1", is_running: true };

    const status = await fetch(`http://${address}/api/status`);
    const containers = await fetch(`http://${address}/api/containers`);
    const metrics = await fetch(`http://${address}/metrics`);

    const expected = { ...fields, proxy_backends: 0 };
    expect(await status.json()).toEqual({ ...expected, apps: [expected] });
    expect(await containers.json()).toEqual({ containers: [] });
    expect(metrics.headers.get("content-type")).toContain("version=0.0.4");
    expect(await metrics.text()).toBe("up 1\n");
    expect(metrics.headers.get("access-control-allow-origin")).toBeNull();
  });

  it.each([
    ["POST", "/metrics", "localhost", 405],
    ["OPTIONS", "/api/status", "localhost", 405],
    ["HEAD", "/metrics", "localhost:17539", 200],
    ["GET", "/metrics?x=1", "[::1]:1", 200],
    ["GET", "/", "localhost", 404],
    ["GET", "/api/status", "attacker.test", 403],
    ["GET", "/api/status", "127.0.0.1.attacker.test", 403],
    ["POST", "/api/status", "attacker.test:17539", 403],
  ])("answers %s %s for the host %s with %i", async (method, path, host, status) => {
    const { address } = await open();

    const answer = await ask(address, { method, path, host });

    expect(answer.status).toBe(status);
    if (method === "HEAD") expect(answer.body).toBe("");
    if (status === 403) expect(answer.body).not.toContain("v1");
  });

  it("answers 500 when the metrics cannot be read, and goes on", async () => {
    const logger = new FakeLogger();
    const { address } = await open({ logger, metrics: () => Promise.reject(new Error("broken")) });

    expect((await fetch(`http://${address}/metrics`)).status).toBe(500);
    expect((await fetch(`http://${address}/api/status`)).status).toBe(200);
    expect(logger.messages("error")).toEqual(["an admin request could not be answered"]);
  });

  it("takes the next port when one is taken, and says which", async () => {
    const taken = await occupy();
    const logger = new FakeLogger();

    const { address } = await open({ logger, port: taken });

    const port = Number(address.split(":")[1]);
    expect(port).toBeGreaterThan(taken);
    expect(port).toBeLessThan(taken + 10);
    expect(logger.lines).toMatchObject([{ message: "Admin API started", fields: { address } }]);
  });

  it("refuses to start where no port can be had", async () => {
    const taken = await occupy(65_535);

    await expect(open({ port: taken })).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringContaining("--admin-port"),
    });
  });

  it("does not wait for a client that keeps its connection", async () => {
    const admin = await open();
    const [host, port] = admin.address.split(":");
    const idle = connect(Number(port), host);
    const ended = new Promise((resolve) => idle.once("close", resolve));
    idle.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));

    await admin.close();

    await ended;
  });
});

it.each([
  ["localhost", true],
  ["LOCALHOST:80", true],
  ["127.9.9.9", true],
  ["[::1]:1", true],
  ["192.168.0.1", false],
  ["localhost.test", false],
  ["localhost:80:80", false],
  ["", false],
  [undefined, false],
])("takes %j for this machine: %s", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

async function open({
  port = 20_000 + Math.floor(Math.random() * 10_000),
  logger = new FakeLogger(),
  metrics = async () => "up 1\n",
} = {}) {
  const containers = async () => ({ containers: [] });
  const parts = {
    status: () => ({ apps: [app] }),
    containers,
    metrics,
    clock: systemClock,
    logger,
  };
  const admin = await openAdmin({ port }, parts, { signal: AbortSignal.timeout(5_000) });
  onTestFinished(() => admin.close());
  return admin;
}

/** Listens on a port, and resolves to it. */
async function occupy(port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function ask(address: string, options: { method: string; path: string; host: string }) {
  const [hostname, port] = address.split(":");
  const { method, path, host } = options;
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path, headers: { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    request.on("error", reject).end();
  });
}
