import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, type Running, run, type Stage, until } from "../../bench/stage.ts";

describe("dewy server", { timeout: 60_000 }, () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.close());

  it("ends with status 0 when it is told to, and takes the app along", async () => {
    const port = await freePort();
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await serves(port, "v1.0.0");

    const status = await agent.stop();

    expect(status).toBe(0);
    await expect(ask(`http://127.0.0.1:${port}/`)).rejects.toThrow("ECONNREFUSED");
    expect(await readdir(join(stage.directory, "app", ".dewy"))).not.toContain("lock");
  });

  it("refuses a port that is in use: one line that says what to do, status 2", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, () => resolve()));
    const { port } = other.address() as AddressInfo;

    const agent = stage.startAgent(port, ["-l", "error"]);

    expect(await statusOf(agent)).toBe(2);
    expect(agent.log()).toMatch(/^dewy: port \d+ is in use by another process.*ss -ltnp.*\n$/);
    await closed(other);
  });

  it("has the last good release in service while the registry cannot be reached", async () => {
    const port = await freePort();
    await stage.push("v1.0.0");
    const first = stage.startAgent(port);
    await serves(port, "v1.0.0");
    await until("it is committed", async () => first.log().includes("Keep releases"));
    await first.stop();
    const nowhere = `img://127.0.0.1:${await freePort()}/sample-app`;
    const where = ["-p", String(port), "-d", join(stage.directory, "app")];
    const command = ["--", process.execPath, "current/server.js"];

    const second = run(["server", "--registry", nowhere, ...where, ...command], stage.directory);
    onTestFinished(async () => void (await second.stop()));

    await serves(port, "v1.0.0");
    await until("it has asked", async () => second.log().includes("Current failure"));
    await serves(port, "v1.0.0");
    expect(second.log()).not.toContain("Extract archive");
  });

  it("refuses a directory that another agent looks after", async () => {
    const port = await freePort();
    await stage.push("v1.0.0");
    const first = stage.startAgent(port);
    await serves(port, "v1.0.0");

    const second = stage.startAgent(await freePort(), ["-l", "error"]);

    expect(await statusOf(second)).toBe(2);
    expect(second.log()).toContain(`another dewy (pid ${first.process.pid}) looks after`);
    await serves(port, "v1.0.0");
  });

  it("keeps the app on the release it had when the next one does not start", async () => {
    const port = await freePort();
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await serves(port, "v1.0.0");
    await until("it is committed", async () => agent.log().includes("Keep releases"));

    await stage.push("v1.1.0", { "server.js": "process.exit(3)\n" });
    await until("it has failed", async () => agent.log().includes("Dewy run failure"));

    expect(agent.log()).toContain("ended with status 3");
    await serves(port, "v1.0.0");
    const version = await readFile(join(stage.directory, "app", "current", "VERSION"), "utf8");
    expect(version).toBe("v1.0.0\n");
  });

  async function serves(port: number, version: string): Promise<void> {
    await until(`the app answers with ${version}`, async () =>
      (await ask(`http://127.0.0.1:${port}/`)).body.includes(` ${version} `),
    );
  }
});

async function statusOf(agent: Running): Promise<number | null> {
  await until("it has ended", async () => agent.process.exitCode !== null);
  return agent.process.exitCode;
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
